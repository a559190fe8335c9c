/**
 * Random messages about links, addresses and routes: what we write, the `netlink` package reads as what it would have
 * written itself; what it writes, we read. Seeded.
 */
import { createRequire } from 'node:module';
import t from 'tap';
import { AttrStream } from 'netlink/dist/structs.js';
import type { Address } from '../../lib/base/ip.ts';
import { addressBytes } from '../../lib/base/ip.ts';
import { addressMessage } from '../../lib/netlink/address-codec.ts';
import type { AddressMessage } from '../../lib/netlink/address-codec.ts';
import { encode } from '../../lib/netlink/codec.ts';
import type { Codec } from '../../lib/netlink/codec.ts';
import { inet6Message } from '../../lib/netlink/inet6.ts';
import type { Inet6Message } from '../../lib/netlink/inet6.ts';
import { linkMessage } from '../../lib/netlink/link-codec.ts';
import type { LinkMessage } from '../../lib/netlink/link-codec.ts';
import { macvlanData } from '../../lib/netlink/macvlan-codec.ts';
import type { MacvlanData } from '../../lib/netlink/macvlan-codec.ts';
import { routeMessage } from '../../lib/netlink/route-codec.ts';
import type { RouteMessage } from '../../lib/netlink/route-codec.ts';
import { ruleMessage } from '../../lib/netlink/rule-codec.ts';
import type { RuleMessage } from '../../lib/netlink/rule-codec.ts';
import { AF_INET, AF_INET6 } from '../../lib/netlink/uapi.ts';
import { randomFrom } from './ipam-ledger.ts';

const require = createRequire(import.meta.url);
const theirs = require('netlink/dist/rt/structs.js') as typeof import('netlink/dist/rt/structs.js');
const ifla = require('netlink/dist/rt/ifla.js') as typeof import('netlink/dist/rt/ifla.js');
const rt = require('netlink/dist/rt/gen_structs.js') as typeof import('netlink/dist/rt/gen_structs.js');

const ROUNDS = 300;
const random = randomFrom(3549);
const below = (limit: number): number => Math.floor(random() * limit);
const byte = (): number => below(256);
const u32 = (): number => below(2 ** 32);
/** The package takes the highest bit of flags for a sign. */
const u31 = (): number => below(2 ** 31);
const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, byte));
const word = (): string =>
  Array.from({ length: 1 + below(15) }, () => String.fromCharCode(97 + below(26))).join('');
const number32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
};

/** The values, about half of them; the same for a second object of the same names. */
function some<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(() => random() < 0.5)) as Partial<T>;
}

function address(family: number): Address {
  const value = BigInt(`0x${bytes(family === AF_INET ? 4 : 16).toString('hex')}`);
  return { family: family === AF_INET ? 4 : 6, value };
}

/** What the package calls it, where it is given. */
function renamed<T>(
  value: T | undefined,
  name: string,
  change: (value: T) => unknown = (same) => same,
): object {
  return value === undefined ? {} : { [name]: change(value) };
}

interface Pair<T> {
  readonly ours: T;
  /** The same as the package has it. */
  readonly same: object;
}

function randomLink(): Pair<LinkMessage> {
  const attributes = some({
    mac: bytes(6),
    mtu: u32(),
    link: u32(),
    netnsid: u31(),
    master: u32(),
    operstate: byte(),
    group: u32(),
    netnsFd: u32(),
    name: word(),
    targetNsid: u31(),
    extMask: u32(),
    promiscuity: u32(),
  });
  const flags = u31();
  const change = u31();
  const head = { family: below(7), type: 1, index: u31() };
  const data = { ...head, flags: rt.parseDeviceFlags(flags), change: rt.parseDeviceFlags(change) };
  const attrs = {
    ...renamed(attributes.mac, 'address'),
    ...renamed(attributes.mtu, 'mtu'),
    ...renamed(attributes.link, 'link', number32),
    ...renamed(attributes.netnsid, 'linkNetnsid'),
    ...renamed(attributes.master, 'master'),
    ...renamed(attributes.operstate, 'operstate'),
    ...renamed(attributes.group, 'group'),
    ...renamed(attributes.netnsFd, 'netNsFd'),
    ...renamed(attributes.name, 'ifname'),
    ...renamed(attributes.targetNsid, 'targetNetnsid'),
    ...renamed(attributes.extMask, 'extMask', number32),
    ...renamed(attributes.promiscuity, 'promiscuity'),
  };
  return { ours: { ...head, flags, change, attributes }, same: { kind: 'link', data, attrs } };
}

function randomMacvlan(): Pair<MacvlanData> {
  const attributes = some({ mode: u32(), flags: below(2 ** 16) });
  return { ours: attributes, same: attributes };
}

function randomInet6(): Pair<Inet6Message> {
  const ours = { flags: u32(), token: address(AF_INET6), mode: byte() };
  const same = { flags: ours.flags, token: addressBytes(ours.token), addrGenMode: ours.mode };
  return { ours, same };
}

function randomAddress(): Pair<AddressMessage> {
  const family = random() < 0.5 ? AF_INET : AF_INET6;
  const attributes = some({
    local: address(family),
    broadcast: address(family),
    flags: u31(),
    address: address(family),
    lifetime: { preferred: u32(), valid: u32(), created: u32(), updated: u32() },
  });
  const head = { family, scope: byte(), index: u32() };
  const length = byte();
  const flags = byte();
  const attrs = {
    ...renamed(attributes.local, 'local', addressBytes),
    ...renamed(attributes.broadcast, 'broadcast', addressBytes),
    ...renamed(attributes.flags, 'flags', rt.parseAddressFlags),
    ...renamed(attributes.address, 'address', addressBytes),
    ...renamed(attributes.lifetime, 'cacheInfo', ({ preferred, valid, created, updated }) => ({
      ifaPrefered: preferred,
      ifaValid: valid,
      cstamp: created,
      tstamp: updated,
    })),
  };
  const data = { ...head, prefixlen: length, flags: rt.parseAddressFlags(flags) };
  return { ours: { ...head, length, flags, attributes }, same: { kind: 'address', data, attrs } };
}

function randomRoute(): Pair<RouteMessage> {
  const family = random() < 0.5 ? AF_INET : AF_INET6;
  const metrics = { mtu: u32(), advmss: u32() };
  const attributes = some({
    destination: address(family),
    gateway: address(family),
    priority: u32(),
    table: u32(),
    interface: u32(),
    preference: byte(),
    metrics,
  });
  const head = { family, tos: byte(), table: byte(), protocol: byte(), scope: byte(), type: byte() };
  const [length, sourceLength, flags] = [byte(), byte(), u31()];
  const attrs = {
    ...renamed(attributes.destination, 'dst', addressBytes),
    ...renamed(attributes.gateway, 'gateway', addressBytes),
    ...renamed(attributes.priority, 'priority'),
    ...renamed(attributes.table, 'table'),
    ...renamed(attributes.interface, 'oif'),
    ...renamed(attributes.preference, 'pref', (value) => Buffer.from([value])),
    ...renamed(attributes.metrics, 'metrics', () => ({
      mtu: number32(metrics.mtu),
      advmss: number32(metrics.advmss),
    })),
  };
  const data = { ...head, dstLen: length, srcLen: sourceLength, flags: rt.parseRouteFlags(flags) };
  return { ours: { ...head, length, sourceLength, flags, attributes }, same: { kind: 'route', data, attrs } };
}

function randomRule(): Pair<RuleMessage> {
  const family = random() < 0.5 ? AF_INET : AF_INET6;
  const attributes = some({
    source: address(family),
    destination: address(family),
    iif: word(),
    oif: word(),
    mark: u32(),
    mask: u32(),
    table: u32(),
    suppressPrefixLength: u32(),
    priority: u32(),
    protocol: byte(),
  });
  const head = { family, tos: byte(), table: byte(), action: byte() };
  const [length, sourceLength, flags] = [byte(), byte(), u31()];
  const attrs = {
    ...renamed(attributes.source, 'src', addressBytes),
    ...renamed(attributes.destination, 'dst', addressBytes),
    ...renamed(attributes.iif, 'iifname'),
    ...renamed(attributes.oif, 'oifname'),
    ...renamed(attributes.mark, 'fwmark'),
    ...renamed(attributes.mask, 'fwmask'),
    ...renamed(attributes.table, 'table'),
    ...renamed(attributes.suppressPrefixLength, 'suppressPrefixlen', number32),
    ...renamed(attributes.priority, 'priority'),
    ...renamed(attributes.protocol, 'protocol'),
  };
  const data = { ...head, dstLen: length, srcLen: sourceLength, flags: rt.parseRuleFlags(flags) };
  const ours = { ...head, length, sourceLength, reserved1: 0, reserved2: 0, flags, attributes };
  return { ours, same: { kind: 'rule', data, attrs } };
}

function written(format: (out: AttrStream) => void): Buffer {
  const stream = new AttrStream();
  format(stream);
  return Buffer.concat(stream.bufs);
}

interface Subject<T, S> {
  readonly name: string;
  readonly codec: Codec<T>;
  readonly next: () => Pair<T>;
  readonly format: (message: S, out: AttrStream) => void;
  readonly parse: (bytes: Buffer) => S;
}

function compare<T, S>({ name, codec, next, format, parse }: Subject<T, S>): void {
  t.test(`${name}, ${ROUNDS} times`, async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const { ours, same } = next();
      const bytesOfTheirs = written((out) => format(same as S, out));
      const read = codec.get(bytesOfTheirs);
      const bytesOfOurs = encode(codec, ours);
      const agreed =
        t.strictSame(read, ours, 'we read what the package writes') &&
        t.strictSame(parse(bytesOfOurs), parse(bytesOfTheirs), 'it reads what we write');
      if (!agreed) break;
    }
  });
}

compare({
  name: 'links',
  codec: linkMessage,
  next: randomLink,
  format: theirs.formatLinkMessage,
  parse: theirs.parseLinkMessage,
});
compare({
  name: 'macvlans',
  codec: macvlanData,
  next: randomMacvlan,
  format: (macvlan, out) => out.emit(ifla.formatMacvlan(macvlan)),
  parse: ifla.parseMacvlan,
});
compare({
  name: 'IPv6 of links',
  codec: inet6Message,
  next: randomInet6,
  format: (inet6, out) => out.emit(ifla.formatLinkProtocolInfoInet6(inet6)),
  parse: ifla.parseLinkProtocolInfoInet6,
});
compare({
  name: 'addresses',
  codec: addressMessage,
  next: randomAddress,
  format: theirs.formatAddressMessage,
  parse: theirs.parseAddressMessage,
});
compare({
  name: 'routes',
  codec: routeMessage,
  next: randomRoute,
  format: theirs.formatRouteMessage,
  parse: theirs.parseRouteMessage,
});
compare({
  name: 'rules',
  codec: ruleMessage,
  next: randomRule,
  format: theirs.formatRuleMessage,
  parse: theirs.parseRuleMessage,
});
