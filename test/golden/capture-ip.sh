#!/usr/bin/env bash
# Captures again, with one command, what ip and bridge send to the kernel: test/golden/ip.hex, each entry titled by the command
# line that caused it; and what the kernel answers them: test/golden/ip-answers.hex.
# Needs root, strace and iproute2. Works in a network namespace and under a /run of its own.
set -eu -o pipefail
cd "$(dirname "$0")"
if [ "${1:-}" != inside ]; then exec unshare --net --mount "$PWD/capture-ip.sh" inside; fi

trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
source ./record.sh

mount -t tmpfs none /run
ip netns add boat
ip netns add raft

# RTM_NEWLINK, RTM_DELLINK and RTM_SETLINK; the same of addresses, of routes, of neighbours, of ids of namespaces. What ip asks beforehand is left out.
link() { record '1[013]' "$@"; }
altname() { record '6c' "$@"; }
address() { record '1[45]' "$@"; }
route() { record '1[89]' "$@"; }
neighbour() { record '1[2cde]' "$@"; }
nsid() { record '5[89a]' "$@"; }

{
  link ip link add name quay address 02:00:00:00:00:01 mtu 1400 index 10 type bridge
  link ip link set dev quay alias 'netmoor web'
  link ip link add name buoy address 02:00:00:00:00:02 mtu 1400 index 11 master quay type veth peer name eth0 address 02:00:00:00:00:03 mtu 1400 netns boat
  link ip link add name queue mtu 1400 index 12 type ifb
  link ip link add link quay name dory address 02:00:00:00:00:05 mtu 1400 netns boat type macvlan mode bridge bcqueuelen 300
  link ip link add link queue name skiff index 13 type macvlan mode passthru nopromisc
  altname ip link property add dev quay altname pier-of-the-harbour
  link ip link set dev queue up
  link ip link set dev quay promisc on
  link ip link set dev quay down
  link ip link set dev buoy address 02:00:00:00:00:04 mtu 1300
  link ip link set dev queue group 1308622858
  link bridge link set dev buoy hairpin on isolated on
  link bridge link set dev buoy hairpin off
  ip link set quay up
  address ip address add 10.89.0.1/24 broadcast 10.89.0.255 dev quay
  address ip address add 10.89.1.2/32 dev quay
  address ip address add fd00:89::1/64 dev quay nodad
  address ip address add fd00:89::2/64 dev quay valid_lft 3600 preferred_lft 1800
  address ip address add 10.89.2.1 peer 10.89.2.2/32 dev quay
  address ip address add fd00:89::3/64 dev quay noprefixroute
  address ip address del 10.89.1.2/32 dev quay
  route ip route append 10.90.0.0/16 via 10.89.0.2 dev quay proto static
  route ip route append default via 10.89.0.2 dev quay proto static metric 77 mtu 1300 advmss 1260
  route ip route append 10.91.0.0/16 dev quay proto static table 1000
  route ip -6 route append default via fd00:89::9 dev quay proto static table 100
  route ip -6 route append fd00:90::/64 dev quay proto static metric 5
  record 1a ip route get 10.90.0.1
  address ip address add fd00:89::7/64 dev quay optimistic
  route ip -6 route append fd00:91::/64 dev quay proto static pref high
  link ip link set dev quay addrgenmode random
  echo 2 >/proc/sys/net/ipv6/conf/quay/accept_ra
  link ip token set ::17 dev quay
  link ip link set dev quay addrgenmode none
  neighbour bridge fdb show dev quay
  neighbour ip neighbour add proxy fd00:89::d dev quay protocol 109
  neighbour ip neighbour add proxy 10.89.0.13 dev quay
  neighbour ip neighbour del proxy 10.89.0.13 dev quay
  neighbour ip neighbour show proxy
  nsid ip netns set raft auto
  nsid ip netns list-id
  link ip link del dev queue
} >ip.hex

ip link set buoy up
{
  record_answers 10 ip -details link show dev quay
  record_answers 10 ip -details link show dev buoy
  record_answers 10 ip -n boat -details link show dev dory
  record_answers 10 ip -details link show dev lo
  record_answers 14 ip address show dev quay
  record_answers 18 ip route show table all
  record_answers 18 ip -6 route show table all
  ip -n boat link set dory up
  record_answers 1c bridge fdb show dev quay
  record_answers 1c ip -6 neighbour show proxy
  record_answers 58 ip netns list-id
} >ip-answers.hex
