# Sourced by capture-ip.sh and capture-tc.sh. Needs strace; `trace` names a file it may write to.

# The buffers in strace's output, one a line, in hexadecimal digits.
buffers() {
  awk '/ bytes in buffer / { if (line != "") print line; line = "" }
       match($0, /^([0-9]+ +)? \| [0-9a-f]+  /) {
         text = substr($0, RLENGTH + 1, 49); gsub(/[^0-9a-f]/, "", text); line = line text }
       END { if (line != "") print line }' "$trace"
}

title() {
  printf '$'
  printf ' %q' "$@"
  printf '\n'
}

# record TYPES COMMAND...: the command line, and what it sends to the kernel, as far as the first message is of one of the types: a
# regular expression for two hexadecimal digits.
record() {
  local types=$1 descriptors
  shift
  title "$@"
  descriptors=$(seq -s, 3 9)
  strace -f -e trace=sendmsg,sendto -e write="$descriptors" -e signal=none -o "$trace" "$@" >/dev/null
  # ip's first RTM_NEWLINK only tries whether the kernel knows it (iplink_have_newlink).
  buffers | grep -E "^........($types)00" | grep -vE '^20000000100005000{48}$'
}

# The same with what the kernel answers.
record_answers() {
  local types=$1 descriptors
  shift
  title "$@"
  descriptors=$(seq -s, 3 9)
  strace -f -e trace=recvmsg -e read="$descriptors" -e signal=none -o "$trace" "$@" >/dev/null
  buffers | grep -E "^........($types)00"
}
