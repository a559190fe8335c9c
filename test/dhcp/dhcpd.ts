/** ISC dhcpd(8), for either family. */
import type { LogLine, ServerKind, ServerLease } from './server.ts';
import { SUBNET4, SUBNET6, classlessRoutes, netmask, times } from './serving.ts';
import type { Serving4, Serving6 } from './serving.ts';

/** `DHCPACK on 192.0.2.100 to MAC via eth0`, `DHCPREQUEST for 192.0.2.100 from MAC via eth0`. */
function parseLog4(text: string): LogLine[] {
  return [...text.matchAll(/^DHCP([A-Z]+) (?:from|on|for|of|to) .*$/gm)].map((match) => ({
    message: match[1] ?? '',
    text: match[0],
  }));
}

/** `Solicit message from fe80::… port 546, transaction ID 0x…`, `Sending Reply to fe80::… port 546`. */
function parseLog6(text: string): LogLine[] {
  const lines = text.matchAll(
    /^(?:(?:Received )?([A-Z][a-zA-Z-]+) message from|Sending ([A-Z][a-zA-Z-]+) to) .*$/gm,
  );
  return [...lines].map((match) => ({
    message: (match[1] ?? match[2] ?? '').toUpperCase(),
    text: match[0],
  }));
}

function stateOf(text: string): ServerLease['state'] {
  const state = /^\s*binding state (\w+);/m.exec(text)?.[1];
  if (state === 'active') return 'active';
  return state === 'abandoned' ? 'declined' : 'free';
}

/** Seconds since 1970, as `db-time-format local` has it: `ends epoch 1732210000; # …`. */
function endOf(text: string): number {
  return Number(/\bends epoch (\d+);/.exec(text)?.[1]);
}

/** A string of dhcpd.leases(5): `"\001\002x"`, or bytes in hexadecimal digits with colons. */
function bytesOf(text: string): Buffer {
  if (!text.startsWith('"')) return Buffer.from(text.replaceAll(':', ''), 'hex');
  const parts = text.slice(1, -1).match(/\\[0-7]{3}|\\.|[^\\]/gs) ?? [];
  return Buffer.concat(
    parts.map((part) =>
      /^\\[0-7]{3}$/.test(part)
        ? Buffer.of(Number.parseInt(part.slice(1), 8))
        : Buffer.from(part.replace(/^\\/, ''), 'latin1'),
    ),
  );
}

/** The file grows; what comes last about an address counts. */
export function parseDhcpdLeases(text: string): ServerLease[] {
  const found = new Map<string, ServerLease>();
  for (const [, address = '', body = ''] of text.matchAll(/^lease (\S+) \{\n(.*?)^\}/gms)) {
    const mac = /hardware ethernet (\S+);/.exec(body)?.[1];
    const uid = /^\s*uid (.*);$/m.exec(body)?.[1];
    found.set(address, {
      ...{ type: 'v4', address, state: stateOf(body), expires: endOf(body) },
      ...(mac === undefined ? {} : { mac }),
      ...(uid === undefined ? {} : { clientId: bytesOf(uid).toString('hex') }),
    });
  }
  for (const lease of leases6(text)) found.set(`${lease.type} ${lease.address}`, lease);
  return [...found.values()];
}

/** `ia-na "IAIDDUID" { … iaaddr ADDRESS { … } }`: the IAID's four bytes are the machine's own order. */
function leases6(text: string): ServerLease[] {
  const blocks = [...text.matchAll(/^ia-(na|pd) (".*?"|\S+) \{\n(.*?)^\}/gms)];
  return blocks.flatMap(([, type, id = '', body = '']) => {
    const bytes = bytesOf(id);
    const inner = [...body.matchAll(/^ {2}ia(?:addr|prefix) ([0-9a-f:]+)(?:\/(\d+))? \{\n(.*?)^ {2}\}/gms)];
    return inner.map(([, address = '', length, lease = '']) => ({
      ...{ type: type === 'pd' ? 'pd' : 'na', address, state: stateOf(lease), expires: endOf(lease) },
      clientId: bytes.toString('hex', 4),
      iaid: bytes.readUInt32LE(0),
      ...(length === undefined ? {} : { prefixLength: Number(length) }),
    })) as ServerLease[];
  });
}

function kind(family: '-4' | '-6', ifname: string, lines: readonly string[]): ServerKind {
  const common = ['authoritative;', 'db-time-format local;'];
  return {
    name: `dhcpd${family}`,
    config: () => [...common, ...lines, ''].join('\n'),
    argv: ({ config, leases }) => [
      ...['dhcpd', family, '-f', '-d', '-cf', config, '-lf', leases, '--no-pid', ifname],
    ],
    ready: /Server starting service/,
    parseLog: family === '-4' ? parseLog4 : parseLog6,
    parseLeases: parseDhcpdLeases,
  };
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

function option(name: string, value: string | number | undefined): string[] {
  return value === undefined || value === '' ? [] : [`option ${name} ${value};`];
}

export function dhcpd4(serving: Serving4): ServerKind {
  const {
    subnet = SUBNET4,
    first,
    last,
    router,
    dns,
    domain,
    search,
    mtu,
    routes,
    own,
    extra = [],
  } = serving;
  const { seconds, t1, t2 } = times(serving);
  const block = ({ address, mask }: { address: string; mask: string }, inner: readonly string[]) =>
    `subnet ${address} netmask ${mask} { ${inner.join(' ')} }`;
  return kind('-4', serving.ifname ?? 'eth0', [
    'option rfc3442 code 121 = array of unsigned integer 8;',
    'ping-check false;',
    `default-lease-time ${seconds};`,
    `max-lease-time ${seconds};`,
    `min-lease-time ${seconds};`,
    ...option('dhcp-renewal-time', t1),
    ...option('dhcp-rebinding-time', t2),
    ...(own === undefined ? [] : [block(netmask(own), [])]),
    block(netmask(subnet), [
      `range ${first} ${last};`,
      ...option('routers', router),
      ...option('domain-name-servers', dns?.join(', ')),
      ...option('domain-name', domain && `"${domain}"`),
      ...option('domain-search', search && quoted(search)),
      ...option('interface-mtu', mtu),
      ...option('rfc3442', routes && [...classlessRoutes(routes)].join(', ')),
      ...extra,
    ]),
  ]);
}

export function dhcpd6(serving: Serving6): ServerKind {
  const { subnet = SUBNET6, first, last, dns, search, prefixes, rapidCommit, extra = [] } = serving;
  const { seconds, t1, t2 } = times(serving);
  return kind('-6', serving.ifname ?? 'eth0', [
    `default-lease-time ${seconds};`,
    `preferred-lifetime ${Math.floor((seconds * 3) / 4)};`,
    ...option('dhcp-renewal-time', t1),
    ...option('dhcp-rebinding-time', t2),
    ...option('dhcp6.name-servers', dns?.join(', ')),
    ...option('dhcp6.domain-search', search && quoted(search)),
    ...(rapidCommit === true ? ['option dhcp6.rapid-commit;'] : []),
    `subnet6 ${subnet} {`,
    ...(first === undefined || last === undefined ? [] : [`range6 ${first} ${last};`]),
    ...(prefixes === undefined ? [] : [delegation(prefixes)]),
    ...extra,
    '}',
  ]);
}

/** `prefix6 FIRST LAST /LENGTH`: sixteen prefixes are enough here, whatever the pool holds. */
function delegation({ prefix, delegated }: NonNullable<Serving6['prefixes']>): string {
  const groups = prefix.replace(/::$/, '').split(':');
  while (groups.length < 4) groups.push('0');
  const step = 2 ** (64 - delegated);
  const last = [...groups.slice(0, 3), (15 * step).toString(16)].join(':');
  return `prefix6 ${prefix} ${last}:: /${delegated};`;
}
