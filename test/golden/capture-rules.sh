#!/usr/bin/env bash
# Captures again, with one command, what ip sends to the kernel about routing rules: test/golden/rules.hex, each entry titled by the
# command line that caused it; and what the kernel answers it: test/golden/rules-answers.hex.
# Needs root, strace and iproute2. Works in a network namespace of its own.
set -eu -o pipefail
cd "$(dirname "$0")"
if [ "${1:-}" != inside ]; then exec unshare --net "$PWD/capture-rules.sh" inside; fi

trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
source ./record.sh

# RTM_NEWRULE and RTM_DELRULE.
rule() { record '2[01]' "$@"; }

{
  rule ip rule add from 10.1.2.3 table 100
  rule ip -6 rule add from fd00::1/64 table 1000 priority 77 protocol 99
  rule ip rule add from 10.1.2.0/24 to 10.9.0.0/16 iif quay oif buoy fwmark 0x10/0xff table 1001 priority 50 protocol 99
  rule ip rule add iif quay unreachable priority 60 protocol 99
  rule ip rule add not fwmark 7 table main suppress_prefixlength 0 priority 70
  rule ip -6 rule add iif quay blackhole priority 61
  rule ip rule add iif quay prohibit priority 62
  rule ip rule del from 10.1.2.3 table 100
  record 22 ip rule show
  record 22 ip -6 rule show
} >rules.hex

{
  record_answers 20 ip rule show
  record_answers 20 ip -6 rule show
} >rules-answers.hex
