/** dnsmasq(8) as a DHCP server. */
import type { LogLine, ServerFiles, ServerKind, ServerLease } from './server.ts';
import { SUBNET4, netmask, times } from './serving.ts';
import type { Serving4, Serving6 } from './serving.ts';

/** dnsmasq makes two minutes of less (dnsmasq(8), --dhcp-range). */
const SHORTEST = 120;

function parseLog(text: string): LogLine[] {
  return [...text.matchAll(/^.*\bDHCP(?!v6)([A-Z-]+)\(.*$/gm)].map((match) => ({
    message: match[1] ?? '',
    text: match[0],
  }));
}

/**
 * `EXPIRY MAC ADDRESS NAME CLIENTID`, then, behind a line `duid …`, `EXPIRY IAID ADDRESS NAME DUID`; `*` for nothing.
 */
export function parseDnsmasqLeases(text: string): ServerLease[] {
  return text.split('\n').flatMap((line): ServerLease[] => {
    const [expiry = '', second = '', address = '', , id = '*'] = line.trim().split(' ');
    if (!/^\d+$/.test(expiry)) return [];
    const client = id === '*' ? {} : { clientId: id.replaceAll(':', '') };
    const common = { address, state: 'active', expires: Number(expiry), ...client } as const;
    if (address.includes(':')) return [{ type: 'na', ...common, iaid: Number(second) }];
    return [{ type: 'v4', ...common, mac: second }];
  });
}

function kind(ifname: string, lines: readonly string[]): ServerKind {
  const common = [
    'keep-in-foreground',
    'log-facility=-',
    'user=root',
    'port=0',
    `interface=${ifname}`,
    'bind-interfaces',
    'log-dhcp',
    'no-ping',
    'dhcp-authoritative',
  ];
  const own = ({ leases }: ServerFiles) => [`dhcp-leasefile=${leases}`, `pid-file=${leases}.pid`];
  return {
    name: 'dnsmasq',
    config: (files) => [...common, ...own(files), ...lines, ''].join('\n'),
    argv: ({ config }) => ['dnsmasq', `--conf-file=${config}`],
    ready: /sockets bound exclusively|DHCP(v6)?, (IP|relay)/,
    parseLog,
    parseLeases: parseDnsmasqLeases,
  };
}

/** With both, one dnsmasq serves both families. */
export function dnsmasq(four: Serving4 | undefined, six?: Serving6): ServerKind {
  const lines = [...(four === undefined ? [] : lines4(four)), ...(six === undefined ? [] : lines6(six))];
  return kind(four?.ifname ?? six?.ifname ?? 'eth0', lines);
}

function lines4(serving: Serving4): string[] {
  const { seconds, t1, t2 } = times(serving);
  const { mask } = netmask(serving.subnet ?? SUBNET4);
  const { router, dns, domain, search, mtu, routes, extra = [] } = serving;
  const option = (number: number, value: string | number | undefined) =>
    value === undefined || value === '' ? [] : [`dhcp-option=${number},${value}`];
  return [
    `dhcp-range=${serving.first},${serving.last},${mask},${Math.max(seconds, SHORTEST)}`,
    ...option(3, router),
    ...option(6, dns?.join()),
    ...option(26, mtu),
    ...option(119, search?.join()),
    ...option(121, routes?.map(({ dst, gw }) => `${dst},${gw}`).join()),
    ...option(58, t1),
    ...option(59, t2),
    ...(domain === undefined ? [] : [`domain=${domain}`]),
    ...extra,
  ];
}

/** It answers a rapid commit without being told to, and gives T1 and T2 of its own. */
function lines6(serving: Serving6): string[] {
  const { first, last, seconds = 3600, dns, search, extra = [] } = serving;
  const option = (name: string, value: string | undefined) =>
    value === undefined ? [] : [`dhcp-option=option6:${name},${value}`];
  const lifetime = Math.max(seconds, SHORTEST);
  const range =
    first === undefined || last === undefined
      ? 'dhcp-range=2001:db8:50::,ra-stateless,64'
      : `dhcp-range=${first},${last},64,${lifetime}`;
  return [
    range,
    ...option('dns-server', dns?.map((address) => `[${address}]`).join()),
    ...option('domain-search', search?.join()),
    ...extra,
  ];
}
