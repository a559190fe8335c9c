/** The elements of published ports. */
import { addressBytes } from '../base/ip.ts';
import type { Address, Family } from '../base/ip.ts';
import { PROTOCOL_NUMBERS, word } from '../base/transport.ts';
import type { SetElement } from './element.ts';
import { concatenate, setPlan } from './layout.ts';
import { TYPES } from './types.ts';
import type { SetName } from './layout.ts';
import { everyAddress } from './every-address.ts';
import { ifnameSpan } from './match.ts';
import type { Circumstance, PortForward } from './rules.ts';

/** Throws RangeError for a port outside 1 to 65535. */
function checkedPort(port: number, count: number): void {
  if (port < 1 || count < 1 || port + count - 1 > 65535)
    throw new RangeError(`ports ${port} to ${port + count - 1}`);
}

/** First and last of the values of a field. */
type Extent = readonly [Buffer, Buffer];

const just = (value: Buffer): Extent => [value, value];

const anyOf = (family: Family): Extent =>
  everyAddress(TYPES[family === 4 ? 'ipv4_addr' : 'ipv6_addr'].length);

function interval(set: SetName, extents: readonly Extent[], comment: string, to?: Buffer): SetElement {
  const { key } = setPlan(set);
  const ends = (end: 0 | 1): Buffer =>
    concatenate(
      key,
      extents.map((extent) => extent[end]),
    );
  return { set, key: ends(0), keyEnd: ends(1), ...(to && { data: to }), comment };
}

const hostOf = ({ hostIp }: PortForward): Address | undefined =>
  hostIp !== undefined && hostIp.value !== 0n ? hostIp : undefined;

/** Destination, protocol and port. */
function service(forward: PortForward): [Extent, Extent, Extent] {
  const { container, hostPort, count, protocol } = forward;
  const host = hostOf(forward);
  return [
    host === undefined ? anyOf(container.family) : just(addressBytes(host)),
    just(Buffer.from([PROTOCOL_NUMBERS[protocol]])),
    [word(hostPort), word(hostPort + count - 1)],
  ];
}

function conditions(forward: PortForward, comment: string): SetElement[] {
  const { family } = forward.container;
  if (forward.only === undefined) return [];
  const span = (which: Circumstance['source']): Extent | undefined =>
    which && [addressBytes(which.first), addressBytes(which.last)];
  const [destination, protocol, ports] = service(forward);
  return [
    interval(`conditional${family}`, [destination, protocol, ports], comment),
    ...forward.only.map(({ ifname, ...only }) => {
      const to = span(only.destination) ?? destination;
      const from = span(only.source) ?? anyOf(family);
      return ifname === undefined
        ? interval(`met${family}`, [to, protocol, ports, from], comment)
        : interval(`met${family}_via`, [to, protocol, ports, from, ifnameSpan(ifname)], comment);
    }),
  ];
}

/** One for all where the container has the same ports, else one for each. */
function redirections(forward: PortForward, comment: string): SetElement[] {
  const { container, hostPort, containerPort, count } = forward;
  const to = addressBytes(container);
  const host = hostOf(forward);
  if (count > 1 && hostPort === containerPort)
    return [interval(`publish${container.family}_range`, service(forward), comment, to)];
  const set: SetName = `publish${container.family}${host ? '_host' : ''}`;
  const { key: keyTypes, data: dataTypes = [] } = setPlan(set);
  const protocol = Buffer.from([PROTOCOL_NUMBERS[forward.protocol]]);
  const fixed = host ? [addressBytes(host), protocol] : [protocol];
  return Array.from({ length: count }, (_, i) => ({
    set,
    key: concatenate(keyTypes, [...fixed, word(hostPort + i)]),
    data: concatenate(dataTypes, [to, word(containerPort + i)]),
    comment,
  }));
}

export function publishElements(forward: PortForward, comment: string): SetElement[] {
  checkedPort(forward.hostPort, forward.count);
  checkedPort(forward.containerPort, forward.count);
  return [...conditions(forward, comment), ...redirections(forward, comment)];
}
