/** What a network keeps its containers from, and others from its containers, as configured. Pure. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import type { Prefix } from '../../lib/base/ip.ts';
import { PROTOCOL_NUMBERS } from '../../lib/base/transport.ts';
import type { TransportProtocol } from '../../lib/base/transport.ts';
import { quote } from '../../lib/cni/quote.ts';
import { interfaceNameProblem } from '../../lib/cni/names.ts';
import type { Dns } from '../../lib/cni/result.ts';
import type { HostAccess, HostService } from '../../lib/nftables/rules.ts';
import type { IpamChoice } from '../../lib/mooring/ipam.ts';
import type { BridgeNatInput } from '../../schemas/compiled/bridge-nat.js';
import { bridgeNameFor } from './names.ts';

export interface Isolation {
  /** Other networks of netmoor's do not reach it, but from the bridges `joined`. */
  readonly apart: boolean;
  readonly joined: readonly string[];
  /** Containers send from their own addresses alone. */
  readonly spoofchk: boolean;
  /** Containers may be routers and DHCP servers to others. */
  readonly allowServers: boolean;
  /** What alone they reach of the host; undefined: all. */
  readonly hostAccess: HostAccess | undefined;
}

/** ICMP and ICMPv6. */
const PINGS = [1, 58];
const ADVICE = 'write "icmp", a port as "53", "tcp/8080" or "udp/53", or several as "tcp/8000-8010"';

function refuse(entry: string, problem: string): never {
  throw new NetmoorError('bad-config', `hostAccess: ${quote(entry)}${problem}`, ADVICE);
}

function readServices(entry: string): HostService[] {
  const [, name, first = '', last = first] =
    /^(?:(tcp|udp|sctp)\/)?(\d{1,5})(?:-(\d{1,5}))?$/.exec(entry) ?? [];
  if (first === '') return refuse(entry, ' is no service');
  const [firstPort, lastPort] = [Number(first), Number(last)];
  if (firstPort < 1 || lastPort > 65535 || firstPort > lastPort) refuse(entry, ': ports are 1 to 65535');
  const protocols = name === undefined ? (['tcp', 'udp'] as const) : [name as TransportProtocol];
  return protocols.map((each) => ({ protocol: PROTOCOL_NUMBERS[each], firstPort, lastPort }));
}

/** The kernel refuses ranges that overlap. */
function merged(services: readonly HostService[]): HostService[] {
  const done: HostService[] = [];
  for (const each of services.toSorted((a, b) => a.protocol - b.protocol || a.firstPort - b.firstPort)) {
    const before = done.at(-1);
    if (before?.protocol === each.protocol && each.firstPort <= before.lastPort + 1)
      done.splice(-1, 1, { ...before, lastPort: Math.max(before.lastPort, each.lastPort) });
    else done.push(each);
  }
  return done;
}

function readHostAccess(asked: BridgeNatInput['hostAccess']): HostAccess | undefined {
  if (asked === undefined || asked === true) return undefined;
  const entries = asked === false ? [] : asked;
  const services = entries.filter((entry) => entry !== 'icmp').flatMap(readServices);
  return { protocols: entries.includes('icmp') ? PINGS : [], services: merged(services) };
}

/** A network by its name, whose bridge has netmoor's name for it, or a bridge by its own. */
function bridgesOf(name: string): string[] {
  return [...new Set([bridgeNameFor(name), ...(interfaceNameProblem(name) === undefined ? [name] : [])])];
}

/** Throws NetmoorError('bad-config'). */
export function readIsolation(input: BridgeNatInput, ipam: IpamChoice): Isolation {
  const { ingressPolicy, allowFrom = [], spoofchk = false, allowServers = false } = input;
  // A resolver of the host, or another service that asks for others, would ask by the host's own way out.
  const { hostAccess = input.egress === undefined ? undefined : ['icmp'] } = input;
  if (ingressPolicy === 'open' && allowFrom.length > 0)
    throw new NetmoorError(
      'bad-config',
      'ingressPolicy "open" lets everybody in: allowFrom adds nothing',
      'remove one of the two',
    );
  if (ingressPolicy !== undefined && ingressPolicy !== 'open' && allowFrom.length > 0)
    throw new NetmoorError(
      'bad-config',
      `ingressPolicy ${quote(ingressPolicy)} lets no other network in, and allowFrom names some`,
      'remove ingressPolicy: without it only the networks in allowFrom get in',
    );
  if (spoofchk && ipam.kind === 'delegated' && ipam.dhcp6 === 'stateless')
    throw new NetmoorError(
      'bad-config',
      'spoofchk needs to know the addresses, and containers of this network make theirs themselves (SLAAC)',
      'use "macspoofchk", or DHCPv6 with addresses',
    );
  return {
    apart: ingressPolicy !== 'open',
    joined: allowFrom.flatMap(bridgesOf),
    spoofchk,
    allowServers,
    hostAccess: readHostAccess(hostAccess),
  };
}

const DNS_PORT = 53;

function isServed({ services }: HostAccess): boolean {
  return services.some(
    ({ protocol, firstPort, lastPort }) =>
      protocol === PROTOCOL_NUMBERS.udp && firstPort <= DNS_PORT && DNS_PORT <= lastPort,
  );
}

/** A resolver of the host that containers are kept from; a published port may answer there nevertheless. */
export function notesOnNameServers(
  { nameservers = [] }: Dns,
  gateways: readonly Prefix[],
  hostAccess: HostAccess | undefined,
): string[] {
  if (hostAccess === undefined || isServed(hostAccess)) return [];
  const own = gateways.map(({ address }) => formatAddress(address));
  return nameservers
    .filter((server) => own.includes(formatAddress(parseAddress(server))))
    .map(
      (server) =>
        `dns: ${server} is the host, of which containers reach no port 53 unless "hostAccess" has it: ` +
        'only a published port answers them there',
    );
}
