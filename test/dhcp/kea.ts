/** kea-dhcp4(8) and kea-dhcp6(8). */
import type { LogLine, ServerFiles, ServerKind, ServerLease } from './server.ts';
import { SUBNET4, SUBNET6, classlessRoutes, times } from './serving.ts';
import type { Serving4, Serving6 } from './serving.ts';

type Json = Readonly<Record<string, unknown>>;

/** DHCP4_PACKET_RECEIVED … DHCPDISCOVER (type 1), DHCP6_PACKET_SEND … ADVERTISE (type 2): said at debug level alone. */
function parseLog(text: string): LogLine[] {
  const lines = text.matchAll(/^.*DHCP[46]_PACKET_(?:RECEIVED|SEND) .*?\b([A-Z_-]+) \(type \d+\).*$/gm);
  return [...lines].map((match) => ({
    message: (match[1] ?? '').replace(/^DHCP/, '').replaceAll('_', '-'),
    text: match[0],
  }));
}

const STATES: Readonly<Record<string, ServerLease['state']>> = { '0': 'active', '1': 'declined' };

/** The file grows; the last line about an address counts, and a lifetime of 0 is a lease that is no more. */
export function parseKeaLeases(text: string): ServerLease[] {
  const [head = '', ...lines] = text.trim().split('\n');
  const names = head.split(',');
  const found = new Map<string, ServerLease>();
  for (const line of lines) {
    const row = Object.fromEntries(line.split(',').map((value, i) => [names[i], value]));
    const lease = leaseOf(row);
    if (lease !== undefined) found.set(`${lease.type} ${lease.address}`, lease);
  }
  return [...found.values()];
}

function leaseOf(row: Readonly<Record<string, string | undefined>>): ServerLease | undefined {
  const { address, hwaddr, client_id, duid, valid_lifetime, expire, lease_type, iaid, prefix_len } = row;
  if (address === undefined || address === 'address') return undefined;
  const id = (client_id ?? duid ?? '').replaceAll(':', '');
  const types = { '0': 'na', '2': 'pd' } as const;
  const type = lease_type === undefined ? 'v4' : types[lease_type === '2' ? '2' : '0'];
  return {
    type,
    address,
    state: valid_lifetime === '0' ? 'free' : (STATES[row['state'] ?? ''] ?? 'free'),
    expires: Number(expire),
    ...(hwaddr ? { mac: hwaddr } : {}),
    ...(id ? { clientId: id } : {}),
    ...(iaid === undefined ? {} : { iaid: Number(iaid) }),
    ...(type === 'pd' ? { prefixLength: Number(prefix_len) } : {}),
  };
}

function kind(program: 'kea-dhcp4' | 'kea-dhcp6', body: (files: ServerFiles) => Json): ServerKind {
  const root = program === 'kea-dhcp4' ? 'Dhcp4' : 'Dhcp6';
  const stdout = { output_options: [{ output: 'stdout' }] };
  const loggers = [
    { name: program, severity: 'INFO', ...stdout },
    { name: `${program}.packets`, severity: 'DEBUG', debuglevel: 99, ...stdout },
  ];
  const database = (files: ServerFiles) => ({
    type: 'memfile',
    name: files.leases,
    'lfc-interval': 0,
  });
  return {
    name: program,
    config: (files) =>
      JSON.stringify({ [root]: { 'lease-database': database(files), loggers, ...body(files) } }, null, 1),
    argv: ({ config }) => [program, '-c', config],
    environment: ({ directory }) => ({ KEA_PIDFILE_DIR: directory, KEA_LOCKFILE_DIR: directory }),
    ready: /DHCP[46]_STARTED/,
    parseLog,
    parseLeases: parseKeaLeases,
  };
}

const data = (name: string, value: string | number | undefined): Json[] =>
  value === undefined || value === '' ? [] : [{ name, data: String(value) }];

function ownMembers(extra: readonly string[] = []): Json {
  return Object.assign({}, ...extra.map((text) => JSON.parse(text) as Json)) as Json;
}

export function kea4(serving: Serving4): ServerKind {
  const {
    ifname = 'eth0',
    subnet = SUBNET4,
    first,
    last,
    router,
    dns,
    domain,
    search,
    mtu,
    routes,
  } = serving;
  const { seconds, t1, t2 } = times(serving);
  // 2.2 has no name for option 121 yet.
  const classless = { code: 121, space: 'dhcp4', 'csv-format': false, 'always-send': true };
  const options = [
    ...data('routers', router),
    ...data('domain-name-servers', dns?.join(', ')),
    ...data('domain-name', domain),
    ...data('domain-search', search?.join(', ')),
    ...data('interface-mtu', mtu),
    ...(routes === undefined ? [] : [{ ...classless, data: classlessRoutes(routes).toString('hex') }]),
  ];
  const pools = [{ pool: `${first} - ${last}` }];
  const relayed = serving.own === undefined ? { interface: ifname } : {};
  const own = ownMembers(serving.extra);
  return kind('kea-dhcp4', () => ({
    'interfaces-config': { interfaces: [ifname] },
    authoritative: true,
    'valid-lifetime': seconds,
    'renew-timer': t1,
    'rebind-timer': t2,
    subnet4: [{ id: 1, subnet, pools, 'option-data': options, ...relayed, ...own }],
  }));
}

export function kea6(serving: Serving6): ServerKind {
  const { ifname = 'eth0', subnet = SUBNET6, first, last, dns, search, prefixes } = serving;
  const { seconds, t1, t2 } = times(serving);
  const options = [
    ...data('dns-servers', dns?.join(', ')),
    ...data('domain-search', search?.join(', ')),
    ...data('preference', serving.preference),
  ];
  const pools = first === undefined || last === undefined ? [] : [{ pool: `${first} - ${last}` }];
  const delegation = prefixes && {
    prefix: prefixes.prefix,
    'prefix-len': prefixes.length,
    'delegated-len': prefixes.delegated,
  };
  const link = serving.own === undefined ? { interface: ifname } : {};
  // It hears what is sent to an address of its own only when told of the address.
  const interfaces = serving.own === undefined ? [ifname] : [ifname, `${ifname}/${serving.own}`];
  const extra = ownMembers(serving.extra);
  const body = {
    'interfaces-config': { interfaces },
    'server-id': { type: 'LL', persist: false },
    'valid-lifetime': seconds,
    'preferred-lifetime': Math.floor((seconds * 3) / 4),
    'renew-timer': t1,
    'rebind-timer': t2,
    'option-data': options,
    subnet6: [
      {
        ...{ id: 1, subnet, pools, 'rapid-commit': serving.rapidCommit === true },
        ...(delegation ? { 'pd-pools': [delegation] } : {}),
        ...link,
        ...extra,
      },
    ],
  };
  return kind('kea-dhcp6', () => body);
}
