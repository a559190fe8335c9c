#!/usr/bin/env bash
# Captures again, with one command, what nft and iptables-nft send to the kernel: test/golden/nft.hex, guard.hex and
# layout.hex, each entry titled by the command line that caused it; and layout.json and attached.json, how nft lists layout.nft once it is
# loaded, and attached.nft behind it.
# Needs root, strace, nft and iptables-nft. Works in a network namespace of its own.
set -eu -o pipefail
cd "$(dirname "$0")"
if [ "${1:-}" != inside ]; then exec unshare --net --mount "$PWD/capture.sh" inside; fi

trace=$(mktemp)
lines=$(mktemp)
trap 'rm -f "$trace" "$lines"' EXIT

# Prints the command line, then the batches it sends (whose first message is NFNL_MSG_BATCH_BEGIN), one a line, in
# hexadecimal digits. What it asks beforehand is left out: it has random bytes between its attributes.
record() {
  printf '$'
  printf ' %q' "$@"
  printf '\n'
  local descriptor
  descriptor=$(seq -s, 3 9)
  strace -f -e trace=sendmsg,sendto -e write="$descriptor" -e signal=none -o "$trace" "$@" >/dev/null
  awk '/ bytes in buffer / { if (line != "") print line; line = "" }
       match($0, /^([0-9]+ +)? \| [0-9a-f]+  /) {
         text = substr($0, RLENGTH + 1, 49); gsub(/[^0-9a-f]/, "", text); line = line text }
       END { if (line != "") print line }' "$trace" >"$lines"
  grep '^........1000' "$lines"
}

commands() {
  record nft add table inet t '{ comment "a table" ; }'
  record nft add chain inet t plain '{ comment "a chain" ; }'
  record nft add chain inet t post '{ type nat hook postrouting priority srcnat; policy accept; }'
  record nft add chain inet t pre '{ type nat hook prerouting priority dstnat; }'
  record nft add chain inet t ahead '{ type filter hook forward priority filter; policy drop; }'
  record nft add set inet t addresses '{ type ipv4_addr ; comment "a set" ; }'
  record nft add set inet t ports '{ type inet_service ; flags interval ; }'
  record nft add set inet t pairs '{ type ifname . ipv4_addr ; flags interval ; }'
  record nft add map inet t forwards '{ type inet_proto . inet_service : ipv4_addr . inet_service ; }'
  record nft add map inet t verdicts '{ type ifname : verdict ; }'
  record nft add element inet t addresses '{ 10.0.0.1, 10.0.0.2 comment "second" }'
  record nft add element inet t ports '{ 80-90 comment "web" }'
  record nft add element inet t pairs '{ "cni0" . 10.1.0.0/16 comment "net" }'
  record nft add element inet t forwards '{ tcp . 80 comment "n/c/eth0" : 10.0.0.1 . 8080 }'
  record nft add element inet t verdicts '{ "cni0" : jump plain, "cni1" : drop }'
  record nft create element inet t addresses '{ 10.0.0.3 }'
  record nft delete element inet t addresses '{ 10.0.0.3 }'
  record nft add rule inet t plain counter accept comment '"a rule"'
  record nft add rule inet t plain ip saddr 10.0.0.0/9 ip daddr != 10.0.0.1 drop
  record nft add rule inet t plain tcp dport 80-90 reject with tcp reset
  record nft add rule inet t plain tcp dport != 100-200 reject
  record nft add rule inet t plain iifname vmap @verdicts
  record nft add rule inet t plain ip saddr != @addresses return
  record nft add rule inet t plain ct direction original ct state established accept
  record nft add rule inet t plain ct original ip daddr 127.0.0.1 ct mark set 7
  record nft add chain inet t side
  record nft add rule inet t pre fib daddr . iif type local jump side
  record nft add rule inet t pre fib saddr oif missing drop
  record nft add rule inet t pre tcp dport 80 dnat ip to 10.0.0.1:8080
  record nft add rule inet t pre dnat ip to meta l4proto . th dport map @forwards
  record nft add rule inet t post ip saddr 10.0.0.0/8 masquerade
  record nft add rule inet t post masquerade random,persistent
  record nft insert rule inet t ahead oifname '"cni0"' ct status dnat accept comment '"netmoor cni0"'
  record nft delete rule inet t ahead handle "$(nft -a list chain inet t ahead | sed -n 's/.*netmoor cni0.*handle //p')"
  record nft flush set inet t addresses
  record nft delete set inet t ports
  record nft delete chain inet t ahead
  record nft delete table inet t
  record iptables-nft -w -P FORWARD DROP
  record iptables-nft -w -I FORWARD -i cni0 -m comment --comment 'netmoor cni0' -j ACCEPT
  record iptables-nft -w -I FORWARD -o cni0 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment 'netmoor cni0' -j ACCEPT
  record iptables-nft -w -I FORWARD -o cni0 -m conntrack --ctstate DNAT -m comment --comment 'netmoor cni0' -j ACCEPT
  record iptables-nft -w -A FORWARD -j REJECT --reject-with icmp-host-prohibited
  record iptables-nft -w -N USER
  record iptables-nft -w -A FORWARD -p tcp --dport 22 -j USER
  record ip6tables-nft -w -I FORWARD -i cni0 -m comment --comment 'netmoor cni0' -j ACCEPT
  record ip6tables-nft -w -I FORWARD -o cni0 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment 'netmoor cni0' -j ACCEPT
}

commands >nft.hex
nft flush ruleset
record nft -f guard.nft >guard.hex
nft flush ruleset
record nft -f layout.nft >layout.hex
# How nft lists everything there is, without the numbers the kernel gave it.
listing() {
  nft -j list ruleset | python3 -c '
import json, sys
entries = [entry for entry in json.load(sys.stdin)["nftables"] if "metainfo" not in entry]
for entry in entries:
  for thing in entry.values(): thing.pop("handle")
print(json.dumps(entries, indent=1))'
}
listing >layout.json
nft -f attached.nft
listing >attached.json
