# Sourced by capture-dhcp.sh: what happens in each capture of DHCPv4, and the settings of clients of both.

NET=192.0.2

udhcpc() { start busybox udhcpc -f -i eth0 -s /run/udhcpc.sh -x hostname:boat -O search -O staticroutes -O mtu "$@"; }

# Bound, renewed in unicast (SIGUSR1), released (SIGUSR2).
udhcpc_life() {
  "$1" $NET 120 120
  udhcpc
  heard ack
  bound
  signal USR1
  heard ack 2
  signal USR2
  heard release
}
udhcpc_dnsmasq() { udhcpc_life dnsmasq4; }
udhcpc_kea() { udhcpc_life kea4; }
udhcpc_dhcpd() { udhcpc_life dhcpd4; }

# Somebody else has every address of the range.
udhcpc_decline() {
  local i
  "$1" $NET 120 104
  title "$NET.100 to $NET.104 are in use"
  for i in 100 101 102 103 104; do ip -n raft address add $NET.$i/32 dev eth0; done
  udhcpc -a
  heard decline
  for i in 100 101 102 103 104; do ip -n raft address del $NET.$i/32 dev eth0; done
}
udhcpc_dnsmasq_decline() { udhcpc_decline dnsmasq4; }
udhcpc_kea_decline() { udhcpc_decline kea4; }
udhcpc_dhcpd_decline() { udhcpc_decline dhcpd4; }

dhcpcd_conf() {
  printf '%s\n' 'duid 00:04:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef' 'hostname boat' 'nohook resolv.conf' "$@" >/run/dhcpcd.conf
  title "dhcpcd.conf: $(paste -sd ';' /run/dhcpcd.conf)"
}
dhcpcd() { start dhcpcd -B -d -f /run/dhcpcd.conf -c /bin/true "$@" eth0; }
# Options to ask for that dhcpcd asks for only when told.
OPTIONS='option domain_name_servers, domain_name, domain_search, classless_static_routes, interface_mtu, merit_dump, ntp_servers'

# Bound with a conflict probe, renewed, restarted (INIT-REBOOT), renewed at the order (or by itself, T1) and at T2, released; then
# restarted where the network is another: NAK.
dhcpcd_life() {
  local server4=$1 seconds=$2
  dhcpcd_conf "$OPTIONS" clientid
  "$server4" $NET "$seconds" 120
  dhcpcd -4
  heard ack
  until grep -q 'true BOUND' /run/client.log; do sleep 0.1; done
  if [ "$seconds" -lt 100 ]; then heard ack 2; else order dhcpcd -4 -N eth0 && heard ack 2; fi
  title 'the client ends without RELEASE and starts again'
  gone TERM
  dhcpcd -4
  heard ack 3
  if [ "$seconds" -lt 100 ]; then
    title 'the server is away until T2'
    silence
    local before
    before=$(grep -c '^request ' "$out")
    heard request $((before + 1))
    until grep -q 'failed to renew' /run/client.log; do sleep 0.1; done
    "$server4" $NET "$seconds" 120
    heard ack 4
  fi
  gone TERM
  silence
  title 'the network is another, and the server knows nothing'
  rm -f /run/*.leases /run/*.csv*
  "$server4" 198.51.100 3600 120
  dhcpcd -4
  heard nak
  heard ack $((seconds < 100 ? 5 : 4))
  until grep -q 'leased 198.51' /run/client.log; do sleep 0.1; done
  order dhcpcd -4 -k eth0
  heard release
}
dhcpcd_dnsmasq() { dhcpcd_life dnsmasq4 120; }
dhcpcd_kea() { dhcpcd_life kea4 16; }
dhcpcd_dhcpd() { dhcpcd_life dhcpd4 16; }

dhcpcd_dnsmasq_inform() {
  dhcpcd_conf "$OPTIONS"
  dnsmasq4 $NET 120 120
  dhcpcd -4 --inform=$NET.200/24
  heard ack
}

networkd_conf() {
  printf '%s\n' '[Match]' 'Name=eth0' "$@" >/run/systemd/network/eth0.network
  title "eth0.network: $(paste -sd ';' /run/systemd/network/eth0.network)"
  mkdir -p /run/systemd/netif
  chown systemd-network: /run/systemd/netif
}
networkd_kea() {
  networkd_conf '[Network]' 'DHCP=ipv4' '[DHCPv4]' 'UseMTU=true' 'UseDomains=true' 'SendDecline=true'
  kea4 $NET 16 120
  start /usr/lib/systemd/systemd-networkd
  heard ack 2
}

# A relay between: the client is in a network that the server is not in.
udhcpc_dhcpd_relayed() {
  ip netns add harbour
  ip link add buoy type veth peer name eth0 address 02:00:5e:00:56:03 netns harbour
  ip address add 10.77.0.1/24 dev buoy
  ip link set buoy up
  ip -n harbour link set eth0 up
  ip address add 192.0.2.7/32 dev lo
  dhcpd4 $NET 120 120
  silence
  printf 'subnet 10.77.0.0 netmask 255.255.255.0 { range 10.77.0.100 10.77.0.120; option routers 10.77.0.1; }\n' >>$conf
  # The server sits where the client of the other captures is.
  ip -n boat address add $NET.9/24 dev eth0
  ip -n boat route add 10.77.0.0/24 via $NET.1
  title "server: dhcpd eth0, on another host"
  "${INSIDE[@]}" dhcpd -4 -f -d -cf $conf -lf /run/dhcpd4.leases --no-pid eth0 >>/run/server.log 2>&1 &
  server=$!
  until_log 'Server starting service.*'
  echo 1 >/proc/sys/net/ipv4/ip_forward
  title "relay: dhcrelay -4 -d -a -id buoy -iu srv $NET.9"
  dhcrelay -4 -d -a -id buoy -iu srv $NET.9 >>/run/server.log 2>&1 &
  local relay=$!
  title 'client: busybox udhcpc behind the relay'
  nsenter --net=/run/netns/harbour busybox udhcpc -f -i eth0 -s /run/udhcpc.sh >>/run/client.log 2>&1 &
  client=$!
  heard ack
  until ip -n harbour -4 address show dev eth0 | grep -q inet; do sleep 0.02; done
  ip -n harbour route add default via 10.77.0.1
  signal USR1
  heard ack 2
  signal USR2
  heard release
  kill $relay
  ip netns del harbour
}
