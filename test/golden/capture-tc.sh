#!/usr/bin/env bash
# Captures again, with one command, what tc sends to the kernel: test/golden/tc.hex, each entry titled by the command line that
# caused it. Needs root, strace and iproute2. Works in a network namespace of its own.
set -eu -o pipefail
cd "$(dirname "$0")"
if [ "${1:-}" != inside ]; then exec unshare --net "$PWD/capture-tc.sh" inside; fi

trace=$(mktemp)
trap 'rm -f "$trace"' EXIT

source ./record.sh

ip link add quay index 10 type veth peer name boat index 11
ip link add queue index 12 type ifb

# RTM_NEWQDISC or RTM_NEWTFILTER; what tc asks beforehand is left out.
changes() { record '2[4c]' "$@"; }

{
  changes tc qdisc replace dev quay root handle 1: tbf rate 8mbit burst 100000 latency 25ms
  changes tc qdisc replace dev quay root handle 1: tbf rate 123456kbit burst 54321 latency 25ms
  changes tc qdisc replace dev queue root handle 1: tbf rate 40gbit burst 500000000 latency 25ms
  changes tc qdisc add dev quay handle ffff: ingress
  changes tc filter add dev quay parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev queue
} >tc.hex
