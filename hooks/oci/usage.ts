/** What `netmoor-hook --help` says. */
export const USAGE = `netmoor-hook [STAGE] [FLAG]...

Gives an OCI container its networks. A container runtime starts it, with the container's state on stdin: list it in
config.json under hooks.createRuntime (or prestart) and hooks.poststop. STAGE (attach, detach, or a hook's name) is told
by the state when it is left out. Without annotation and flag the container gets the default network.

Options, also as annotations "netmoor/NAME", which come first:
  --networks LIST      NAME[:IFNAME[;ip=ADDRESS][;mac=MAC][;port=PORT][;alias=NAME]],...; --network one at a time
  --ip LIST            addresses in the first network
  --mac MAC            MAC address in the first network
  --ports LIST         [ADDRESS:]HOSTPORT:PORT[/PROTOCOL], ranges FIRST-LAST; --port one at a time
  --aliases LIST       further names in the first network
  --hostname NAME      the name the container is known by
  --dns LIST           name servers; also --dns-search, --dns-options
  --files LIST         write these for the container: resolv.conf, hosts, hostname
  --result-file FILE   results of all networks as JSON, in the bundle
  --ip-file FILE       the first address alone, in the bundle

Only as flags:
  --env-file FILE      variables for $NAME in the options above, NAME=VALUE lines
  --conf-dir DIR       network configurations, instead of /etc/cni/net.d
  --cni-path LIST      directories of plugins
  --state-dir DIR      the lease store, instead of /var/lib/cni/netmoor
  --log FILE           instead of syslog
`;
