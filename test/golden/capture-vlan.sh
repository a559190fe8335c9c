#!/usr/bin/env bash
# Captures again, with one command, what ip and bridge send to the kernel about VLANs of bridges, and about attributes of interfaces
# that plugins tune: test/golden/vlan.hex, each entry titled by the command line that caused it. The kernel may refuse it: one
# without CONFIG_BRIDGE_VLAN_FILTERING refuses all of VLANs.
# Needs root, strace and iproute2. Works in a network namespace of its own.
set -eu -o pipefail
cd "$(dirname "$0")"
if [ "${1:-}" != inside ]; then exec unshare --net "$PWD/capture-vlan.sh" inside; fi

trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
source ./record.sh

ip link add quay index 10 type bridge
ip link add buoy index 11 master quay type veth peer name boat

# RTM_NEWLINK, RTM_DELLINK, RTM_SETLINK, whatever becomes of them.
tried() { record '1[013]' sh -c "$1 2>&1 || true" | sed "s/^\\$ sh -c .*/$ $1/"; }

{
  tried 'ip link set dev quay type bridge vlan_filtering 1'
  tried 'bridge vlan add dev buoy vid 5 pvid untagged'
  tried 'bridge vlan add dev buoy vid 7'
  tried 'bridge vlan add dev buoy vid 100-200'
  tried 'bridge vlan add dev quay vid 5 pvid untagged self'
  tried 'bridge vlan del dev buoy vid 1'
  tried 'ip link set dev buoy allmulticast on'
  tried 'ip link set dev buoy allmulticast off'
  tried 'ip link set dev buoy txqueuelen 500'
  record 12 bridge vlan show
} >vlan.hex
