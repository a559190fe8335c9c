#!/usr/bin/env bash
# Captures again, with one command, whole DHCP exchanges of clients and servers in use: test/golden/dhcp/CLIENT-SERVER[-WHAT].hex.
# A line is a message: its name, a space, the Ethernet frame; lines with # say what was started when, and in which version.
# Takes some four minutes. Needs root, perl, and of Debian: dnsmasq-base, kea-dhcp4-server, kea-dhcp6-server, isc-dhcp-server,
# isc-dhcp-relay, isc-dhcp-client, dhcpcd-base, udhcpc, systemd. Works in network, mount and PID namespaces of its own.
#   capture-dhcp.sh [NAME]...   only these files
set -eu -o pipefail
cd "$(dirname "$0")"
if [ "${1:-}" != inside ]; then exec unshare --net --mount --uts --pid --fork --kill-child "$PWD/capture-dhcp.sh" inside "$@"; fi
shift

hostname boat
mount -t proc proc /proc
mount -t sysfs -o ro sysfs /sys
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/{etc,lib}{,.work} /run/systemd/network /run/kea /run/lock /run/netns
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc.work overlay /etc
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/lib,workdir=/run/lib.work overlay /var/lib
rm -f /etc/resolv.conf
rm -rf /var/lib/dhcpcd/* /var/lib/dhcp/*
# What networkd makes its DUID of.
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
export KEA_PIDFILE_DIR=/run/kea KEA_LOCKFILE_DIR=/run/kea
ip netns add boat
ip netns add raft
ip link add srv address 02:00:5e:00:56:01 type bridge forward_delay 0 mcast_snooping 0
ip link add port2 master srv type veth peer name eth0 address 02:00:5e:00:56:04 netns raft
ip link set port2 addrgenmode none up
echo 0 >/proc/sys/net/ipv6/conf/srv/accept_dad
ip link set lo up
ip link set srv addrgenmode none up
ip address add fe80::1/64 dev srv nodad
ip address add 2001:db8:50::1/64 dev srv nodad
ip address add 192.0.2.1/24 dev srv
ip address add 198.51.100.1/24 dev srv
ip -n boat link set lo up
ip -n raft link set eth0 addrgenmode none up

cat >/run/udhcpc.sh <<'end'
#!/bin/sh
case $1 in
deconfig) ip address flush dev $interface; ip link set $interface up ;;
bound | renew) ip address replace $ip/24 dev $interface ;;
esac
end
cat >/run/dhclient.sh <<'end'
#!/bin/sh
case $reason in
BOUND6 | RENEW6 | REBIND6)
  [ -z "$new_ip6_address" ] || ip address replace $new_ip6_address/64 dev $interface
  # What Debian's script answers for a duplicate address.
  [ ! -e /run/duplicate ] || exit 3 ;;
esac
end
chmod +x /run/*.sh
: >/run/empty.conf

out=
title() { printf '# %s\n' "$*" >>"$out"; }
INSIDE=(nsenter --net=/run/netns/boat)

# heard NAME [COUNT [SECONDS]]: waits for the COUNTth message of this name in the file.
heard() {
  local i
  for ((i = 0; i < ${3:-20} * 50; i++)); do
    if [ "$(grep -c "^$1 " "$out")" -ge "${2:-1}" ]; then return; fi
    sleep 0.02
  done
  echo "$out: no $1" >&2
  cat /run/server.log /run/client.log >&2
  exit 1
}

client=
start() {
  title "client: $*"
  "${INSIDE[@]}" "$@" >>/run/client.log 2>&1 &
  client=$!
}
order() {
  title "client: $*"
  "${INSIDE[@]}" "$@" >>/run/client.log 2>&1
}
# The link-local address is past DAD.
linked() {
  until ip -n boat -6 address show dev eth0 scope link -tentative | grep -q inet6; do sleep 0.02; done
}
# The address is there, or else a renewal could not be in unicast.
bound() {
  until ip -n boat -4 address show dev eth0 | grep -q inet; do sleep 0.02; done
}
signal() {
  title "kill -$1"
  kill "-$1" "$client"
}
# Ends the client. dhcpcd may miss a signal that comes while it is told something else.
gone() {
  if [ -n "$client" ]; then
    while kill -"${1:-KILL}" "$client" 2>/dev/null; do sleep 0.5; done
    wait "$client" 2>/dev/null || true
  fi
  client=
}

versions() {
  local name
  for name in "$@"; do title "$(dpkg-query -W -f '${Package} ${Version}' "$name")"; done
}

# capture NAME PACKAGE...: a file, whose body is the function of that name with _ for -.
wanted=" $* "
capture() {
  local name=$1 ear
  shift
  if [ "$wanted" != "  " ] && [[ "$wanted" != *" $name "* ]]; then return; fi
  echo "$name" >&2
  out=$PWD/dhcp/$name.hex
  : >"$out"
  versions "$@"
  rm -rf /run/*.leases /run/*.csv* /var/lib/dhcpcd/* /run/client.log /run/duplicate /run/systemd/netif
  # A new one each time: dhcpcd leaves settings behind, such as that the kernel makes no link-local address.
  if [ -e /sys/class/net/port1 ]; then ip link del port1; fi
  ip link add port1 master srv type veth peer name eth0 address 02:00:5e:00:56:02 netns boat
  ip link set port1 addrgenmode none up
  ip -n boat link set eth0 up
  coproc ear { exec perl capture-dhcp.pl "${where:-srv}" "$out"; }
  local listener=$ear_PID
  read -r _ <&"${ear[0]}"
  "${name//-/_}"
  gone
  silence
  kill "$listener"
  wait "$listener" 2>/dev/null || true
}

source ./capture-dhcp-servers.sh
source ./capture-dhcp-v4.sh
source ./capture-dhcp-v6.sh

for server4 in 'dnsmasq dnsmasq-base' 'kea kea-dhcp4-server' 'dhcpd isc-dhcp-server'; do
  read -r name package <<<"$server4"
  capture "udhcpc-$name" busybox-static "$package"
  capture "udhcpc-$name-decline" busybox-static "$package"
  capture "dhcpcd-$name" dhcpcd-base "$package"
done
capture dhcpcd-dnsmasq-inform dhcpcd-base dnsmasq-base
capture networkd-kea systemd kea-dhcp4-server
capture udhcpc-dhcpd-relayed busybox-static isc-dhcp-relay isc-dhcp-server
for server6 in 'dnsmasq6 dnsmasq-base' 'kea6 kea-dhcp6-server' 'dhcpd6 isc-dhcp-server'; do
  read -r name package <<<"$server6"
  capture "dhcpcd-$name" dhcpcd-base "$package"
  capture "dhclient-$name" isc-dhcp-client "$package"
  capture "dhclient-$name-decline" isc-dhcp-client "$package"
  capture "dhclient-$name-stateless" isc-dhcp-client "$package"
done
capture dhclient-kea6-none isc-dhcp-client kea-dhcp6-server
capture dhclient-kea6-prefixes isc-dhcp-client kea-dhcp6-server
capture dhclient-kea6-relayed isc-dhcp-client isc-dhcp-relay kea-dhcp6-server
capture dhcpcd-kea6-rapid dhcpcd-base kea-dhcp6-server
capture networkd-dnsmasq6 systemd dnsmasq-base
