# Sourced by capture-dhcp.sh: servers on the interface srv, one at a time. Each is started by a function of its name whose arguments
# are a subnet's first three octets (or `six`), the lease seconds and the range's last number, and ended by `silence`.

server=
conf=/run/server.conf

serve() {
  title "server: $*"
  "$@" >>/run/server.log 2>&1 &
  server=$!
}

# Without a word to anybody.
silence() {
  if [ -n "$server" ]; then kill -KILL "$server"; wait "$server" 2>/dev/null || true; fi
  server=
}

until_log() {
  local i
  for ((i = 0; i < 500; i++)); do
    if grep -qE "$1" /run/server.log; then return; fi
    sleep 0.02
  done
  echo "the server does not say $1" >&2
  cat /run/server.log >&2
  exit 1
}

LONG=$(printf 'A text of more than 255 bytes which has to be split (RFC 3396). %.0s' 1 2 3 4 5)
SEARCH=lan.example,example,with.a.long.name.lan.example

dnsmasq4() {
  : >/run/server.log
  serve dnsmasq --keep-in-foreground --log-facility=- --conf-file=/dev/null --user=root --port=0 --interface=srv --bind-interfaces \
    --log-dhcp --no-ping --dhcp-authoritative --dhcp-leasefile=/run/dnsmasq.leases --pid-file \
    --dhcp-range="$1.100,$1.$3,255.255.255.0,$2" --dhcp-option=3,"$1.1" --dhcp-option=6,"$1.53,$1.54,198.51.100.53" \
    --domain=lan.example --dhcp-option=option:domain-search,$SEARCH --dhcp-option=26,1400 \
    --dhcp-option=121,10.0.0.0/8,"$1.2",172.16.0.0/12,"$1.3",0.0.0.0/0,"$1.1" --dhcp-option=42,"$1.5"
  until_log 'DHCP, IP range'
}

kea4() {
  : >/run/server.log
  cat >$conf <<end
{ "Dhcp4": {
  "interfaces-config": { "interfaces": ["srv/$1.1"] }, "authoritative": true,
  "lease-database": { "type": "memfile", "name": "/run/kea4.csv", "lfc-interval": 0 },
  "valid-lifetime": $2, "renew-timer": $(($2 / 4)), "rebind-timer": $(($2 / 2)),
  "subnet4": [{ "id": 1, "interface": "srv", "subnet": "$1.0/24", "pools": [{ "pool": "$1.100 - $1.$3" }], "option-data": [
    { "name": "routers", "data": "$1.1" }, { "name": "domain-name-servers", "data": "$1.53, $1.54, 198.51.100.53" },
    { "name": "domain-name", "data": "lan.example" }, { "name": "domain-search", "data": "${SEARCH//,/, }" },
    { "name": "interface-mtu", "data": "1400" }, { "name": "ntp-servers", "data": "$1.5" },
    { "code": 121, "space": "dhcp4", "csv-format": false, "always-send": true,
      "data": "080AC00002020CAC10C000020300C0000201" },
    { "name": "merit-dump", "data": "$LONG" }] }],
  "loggers": [{ "name": "kea-dhcp4", "severity": "INFO", "output_options": [{ "output": "stdout" }] }] } }
end
  serve kea-dhcp4 -c $conf
  until_log DHCP4_STARTED
}

dhcpd4() {
  : >/run/server.log
  : >>/run/dhcpd4.leases
  cat >$conf <<end
option rfc3442 code 121 = array of unsigned integer 8;
authoritative;
ping-check false;
default-lease-time $2;
max-lease-time $2;
option dhcp-renewal-time $(($2 / 4));
option dhcp-rebinding-time $(($2 / 2));
subnet $1.0 netmask 255.255.255.0 {
  range $1.100 $1.$3;
  option routers $1.1;
  option domain-name-servers $1.53, $1.54, 198.51.100.53;
  option domain-name "lan.example";
  option domain-search "${SEARCH//,/\", \"}";
  option interface-mtu 1400;
  option ntp-servers $1.5;
  option merit-dump "$LONG";
  option rfc3442 8, 10, 192, 0, 2, 2, 12, 172, 16, 192, 0, 2, 3, 0, 192, 0, 2, 1;
}
end
  serve dhcpd -4 -f -d -cf $conf -lf /run/dhcpd4.leases --no-pid srv
  until_log 'Server starting service'
}

dnsmasq6() {
  : >/run/server.log
  serve dnsmasq --keep-in-foreground --log-facility=- --conf-file=/dev/null --user=root --port=0 --interface=srv --bind-interfaces \
    --log-dhcp --dhcp-authoritative --dhcp-leasefile=/run/dnsmasq6.leases --pid-file --enable-ra \
    --dhcp-range="2001:db8:50::100,2001:db8:50::$3,64,$2" --dhcp-option=option6:dns-server,'[2001:db8:50::53],[2001:db8:50::54]' \
    --dhcp-option=option6:domain-search,$SEARCH --dhcp-option=option6:ntp-server,'[2001:db8:50::5]'
  until_log 'router advertisement on'
}

kea6() {
  : >/run/server.log
  cat >$conf <<end
{ "Dhcp6": {
  "interfaces-config": { "interfaces": ["srv"] },
  "server-id": { "type": "LL", "persist": false },
  "lease-database": { "type": "memfile", "name": "/run/kea6.csv", "lfc-interval": 0 },
  "valid-lifetime": $2, "preferred-lifetime": $(($2 * 3 / 4)), "renew-timer": $(($2 / 4)), "rebind-timer": $(($2 / 2)),
  "option-data": [
    { "name": "dns-servers", "data": "2001:db8:50::53, 2001:db8:50::54" }, { "name": "domain-search", "data": "${SEARCH//,/, }" },
    { "name": "preference", "data": "255", "always-send": true }, { "name": "sntp-servers", "data": "2001:db8:50::5" }],
  "subnet6": [{ "id": 1, "subnet": "2001:db8:50::/64", "interface": "srv", "rapid-commit": ${rapid:-false},
    "pools": [{ "pool": "2001:db8:50::100 - 2001:db8:50::$3" }],
    "pd-pools": [{ "prefix": "2001:db8:8000::", "prefix-len": 48, "delegated-len": 56 }] }],
  "loggers": [{ "name": "kea-dhcp6", "severity": "INFO", "output_options": [{ "output": "stdout" }] }] } }
end
  serve kea-dhcp6 -c $conf
  until_log DHCP6_STARTED
}

dhcpd6() {
  : >/run/server.log
  : >>/run/dhcpd6.leases
  cat >$conf <<end
authoritative;
default-lease-time $2;
preferred-lifetime $(($2 * 3 / 4));
option dhcp-renewal-time $(($2 / 4));
option dhcp-rebinding-time $(($2 / 2));
allow leasequery;
option dhcp6.name-servers 2001:db8:50::53, 2001:db8:50::54;
option dhcp6.domain-search "${SEARCH//,/\", \"}";
option dhcp6.info-refresh-time 86400;
${rapid:+option dhcp6.rapid-commit;}
subnet6 2001:db8:50::/64 {
  range6 2001:db8:50::100 2001:db8:50::$3;
  prefix6 2001:db8:8000:: 2001:db8:8000:ff00:: /56;
}
end
  serve dhcpd -6 -f -d -cf $conf -lf /run/dhcpd6.leases --no-pid srv
  until_log 'Server starting service'
}
