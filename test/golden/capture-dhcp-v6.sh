# Sourced by capture-dhcp.sh: what happens in each capture of DHCPv6. Settings of clients are in capture-dhcp-v4.sh.

networkd_dnsmasq6() {
  networkd_conf '[Network]' 'DHCP=ipv6' 'IPv6AcceptRA=true' '[DHCPv6]' 'UseDomains=true'
  dnsmasq6 six 120 1ff
  start /usr/lib/systemd/systemd-networkd
  heard reply
}

# IA_NA and IA_PD: bound, renewed at T1, rebound at T2, confirmed after a restart where there is no prefix to confirm, released.
dhcpcd_life6() {
  local server6=$1 seconds=$2
  dhcpcd_conf 'noipv6rs' 'option dhcp6_name_servers, dhcp6_domain_search, dhcp6_sntp_servers, dhcp6_ntp_server' \
    'interface eth0' 'ia_na 1' ${3:+"$3"}
  "$server6" six "$seconds" 1ff
  dhcpcd -6
  heard reply 1 40
  if [ "$seconds" -lt 100 ]; then
    heard renew
    heard reply 2
    title 'the server is away until T2'
    silence
    heard rebind
    "$server6" six "$seconds" 1ff
    heard reply 3 40
  else
    order dhcpcd -6 -N eth0
    heard reply 2
  fi
  until grep -q 'eth0: .*\(adding address\|delegated\|REPLY6 received\)' /run/client.log; do sleep 0.1; done
  order dhcpcd -6 -k eth0
  heard release
}
dhcpcd_dnsmasq6() { dhcpcd_life6 dnsmasq6 120; }
dhcpcd_kea6() { dhcpcd_life6 kea6 16 'ia_pd 2 -'; }
dhcpcd_dhcpd6() { dhcpcd_life6 dhcpd6 16 'ia_pd 2 -'; }
dhcpcd_kea6_rapid() {
  rapid=true
  dhcpcd_conf 'noipv6rs' 'option dhcp6_rapid_commit' 'option dhcp6_name_servers' 'interface eth0' 'ia_na 1'
  kea6 six 600 1ff
  rapid=
  dhcpcd -6
  heard reply 1 40
}

dhclient() {
  linked
  start dhclient -6 -d -v -cf /run/empty.conf -lf /run/dhclient.leases -pf /run/dhclient.pid -sf /run/dhclient.sh "$@" eth0
}

# IA_NA (and IA_PD, where there are any): bound, restarted and confirmed, released.
dhclient_life6() {
  "$@" six 600 1ff
  dhclient -D LL
  heard reply
  title 'the client ends without RELEASE and starts again'
  gone
  dhclient -D LL
  heard confirm
  heard reply 2
  gone
  order dhclient -6 -r -v -cf /run/empty.conf -lf /run/dhclient.leases -pf /run/dhclient.pid -sf /run/dhclient.sh eth0
  heard release
}
dhclient_dnsmasq6() { dhclient_life6 dnsmasq6; }
dhclient_kea6() { dhclient_life6 kea6; }
dhclient_dhcpd6() { dhclient_life6 dhcpd6; }

dhclient_decline6() {
  : >/run/duplicate
  "$1" six 600 1ff
  dhclient -D LL
  heard decline
  heard reply 2
}
dhclient_dnsmasq6_decline() { dhclient_decline6 dnsmasq6; }
dhclient_kea6_decline() { dhclient_decline6 kea6; }
dhclient_dhcpd6_decline() { dhclient_decline6 dhcpd6; }

dhclient_stateless6() {
  "$1" six 600 1ff
  dhclient -S -D LL
  heard reply
}
dhclient_dnsmasq6_stateless() { dhclient_stateless6 dnsmasq6; }
dhclient_kea6_stateless() { dhclient_stateless6 kea6; }
dhclient_dhcpd6_stateless() { dhclient_stateless6 dhcpd6; }

# Somebody else has the only address there is.
dhclient_kea6_none() {
  kea6 six 600 100
  linked
  title 'a client that gets it'
  order timeout 20 dhclient -6 -1 -v -D LL -cf /run/empty.conf -lf /run/other.leases -pf /run/other.pid -sf /run/dhclient.sh eth0
  until [ -s /run/other.pid ]; do sleep 0.05; done
  kill -KILL "$(cat /run/other.pid)"
  title 'another'
  ip -n boat link set eth0 down
  ip -n boat link set eth0 address 02:00:5e:00:56:05 up
  dhclient -D LL
  heard advertise 2
}

# Two prefixes and no address.
dhclient_kea6_prefixes() {
  kea6 six 600 1ff
  dhclient -P -P -D LL
  heard reply
}

# The relay's messages to a server on another host, and the server's to the relay.
dhclient_kea6_relayed() {
  ip netns add harbour
  ip link add buoy address 02:00:5e:00:56:06 type veth peer name eth0 address 02:00:5e:00:56:03 netns harbour
  echo 0 >/proc/sys/net/ipv6/conf/buoy/accept_dad
  ip link set buoy up
  ip address add 2001:db8:77::1/64 dev buoy nodad
  ip -n harbour link set eth0 up
  ip -n boat address add 2001:db8:50::9/64 dev eth0 nodad
  linked
  cat >$conf <<end
{ "Dhcp6": { "interfaces-config": { "interfaces": ["eth0/2001:db8:50::9"] }, "server-id": { "type": "LL", "persist": false },
  "lease-database": { "type": "memfile", "name": "/run/kea6.csv", "lfc-interval": 0 },
  "subnet6": [{ "id": 1, "subnet": "2001:db8:77::/64", "pools": [{ "pool": "2001:db8:77::100 - 2001:db8:77::1ff" }] }],
  "loggers": [{ "name": "kea-dhcp6", "severity": "INFO", "output_options": [{ "output": "stdout" }] }] } }
end
  title "server: kea-dhcp6 on another host"
  "${INSIDE[@]}" kea-dhcp6 -c $conf >/run/server.log 2>&1 &
  server=$!
  until_log DHCP6_STARTED
  title 'relay: dhcrelay -6 -d --no-pid -I -l buoy -u 2001:db8:50::9%srv'
  dhcrelay -6 -d --no-pid -I -l buoy -u 2001:db8:50::9%srv >>/run/server.log 2>&1 &
  local relay=$!
  until ip -n harbour -6 address show dev eth0 scope link -tentative | grep -q inet6; do sleep 0.02; done
  title 'client: dhclient -6 behind the relay'
  nsenter --net=/run/netns/harbour dhclient -6 -d -v -D LL -cf /run/empty.conf -lf /run/dhclient.leases -pf /run/dhclient.pid \
    -sf /run/dhclient.sh eth0 >>/run/client.log 2>&1 &
  client=$!
  heard relay-repl 2
  kill $relay
  ip netns del harbour
}
