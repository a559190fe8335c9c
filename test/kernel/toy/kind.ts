/**
 * A main plugin made for the tests: a veth whose host end stands by itself, with a route to the container through it.
 * It is one folder, and one line in the list of its program; that is all it takes.
 */
import { sha256 } from '../../../lib/base/sha256.ts';
import { requestedMac } from '../../../lib/cni/requested.ts';
import { lostInterface } from '../../../lib/mooring/death.ts';
import { readIpamChoice } from '../../../lib/mooring/ipam.ts';
import type { Kind, MooringConfig, MooringDetail } from '../../../lib/mooring/kind.ts';
import { configureInterface, raiseInterface } from '../../../lib/mooring/container-interface.ts';
import { prefixesOf, verifyInterface } from '../../../lib/mooring/verify.ts';
import { findLink, listLinks } from '../../../lib/netlink/link.ts';
import { linkChange } from '../../../lib/netlink/link-change.ts';
import { createBridge, createVeth } from '../../../lib/netlink/link-creation.ts';
import { removeLink } from '../../../lib/netlink/link-removal.ts';
import type { AttachmentKey } from '../../../ipam/record.ts';

interface ToyDetail extends MooringDetail {
  /** What a toy has to say. */
  readonly motto: string;
}

const DOCK = 'dock';

function hash({ network, containerId, ifname }: AttachmentKey): string {
  return sha256(`${network}/${containerId}/${ifname}`).toString('hex', 0, 4);
}

const hostIfnameFor = (key: AttachmentKey): string => `toy${hash(key)}`;

const macFor = (prefix: string, key: AttachmentKey): string =>
  [prefix, ...(hash(key).match(/../g) ?? []), '01'].join(':');

export const kind: Kind<MooringConfig, ToyDetail> = {
  name: 'toy',
  about: 'a plugin of the tests',
  segments: 'bridge',

  readConfig: async (config, request) => ({
    ipam: readIpamChoice(config),
    mac: requestedMac(config, request),
    requestedAddresses: [],
    containerName: undefined,
    portMappings: [],
  }),
  complete: (_host, config) => config,
  segmentOf: () => DOCK,
  scopeOf: (segment) => `toy ${segment}`,
  addresses: ({ ipam }) => (ipam.kind === 'delegated' ? 'after-link' : 'before-link'),
  identify: (key, { mac }) => ({ hostIfname: hostIfnameFor(key), mac: mac ?? macFor('02', key) }),
  plan: (_config, { addresses, routes = [] }) => ({
    addresses,
    detail: {
      subnets: addresses.map(({ address }) => address),
      routes,
      motto: 'fluctuat nec mergitur',
    },
  }),
  readDetail: (detail) => detail as ToyDetail,

  claim: (_tx, record) => record,
  settle: () => {},
  async connect({ route, step }, { key, netns, segment }, sandbox, record, undo) {
    const dock =
      findLink(route, segment) ??
      createBridge(route, { name: segment, mac: '02:00:00:00:00:99', alias: 'toy' });
    undo.push('delete its interface', () => void removeLink(route, hostIfnameFor(key)));
    const link = createVeth(route, {
      name: hostIfnameFor(key),
      mac: macFor('fe', key),
      master: dock.index,
      peer: { name: key.ifname, mac: record.mac ?? '', netnsFd: netns.fd },
    });
    step('attach: toy made');
    const raise = (): void => {
      for (const { index } of [dock, link]) route.request(linkChange(index, { up: true }, 'raise a toy'));
    };
    return {
      hostIfindex: link.index,
      raise() {
        raise();
        raiseInterface(sandbox, { ifname: key.ifname, dad: 'off' });
      },
      configure(leased, more) {
        raise();
        const wanted = { ifname: key.ifname, addresses: prefixesOf(leased), routes: [], dad: 'off' } as const;
        configureInterface(sandbox, wanted, more);
      },
      interfaces: ({ ifname, mac = '' }) => [{ name: ifname, mac, sandbox: netns.path }],
    };
  },

  own: ({ route }, record) => [
    {
      what: 'delete its interface',
      step: 'detach: toy removed',
      remove: () => void removeLink(route, record.hostIfname ?? ''),
    },
  ],
  leaveShared({ route }, record, { onSegment }, whole) {
    if (whole) removeLink(route, record.hostIfname ?? '');
    if (onSegment) removeLink(route, DOCK);
  },
  staysBehind: () => false,
  passOn: () => {},
  afterwards: () => {},
  isLeft: ({ route }, key) => findLink(route, hostIfnameFor(key)) !== undefined,
  removeByKey: ({ route }, key) => void removeLink(route, hostIfnameFor(key)),

  deathOf: lostInterface,
  verify: async ({ route }, { hostIfname = '', detail }) =>
    findLink(route, hostIfname) ? [] : [`${hostIfname} is gone: ${detail.motto}`],
  verifyInside: async (netns, record, told) => verifyInterface(netns, record, told),
  probe: async () => {},
  following: async () => ({ moved() {} }),
  sweeping: async () => ({
    elements: () => [],
    recover: () => [],
    segmentsInUse: () => [],
    orphans({ route }, { records }, most) {
      const known = new Set(records.map(({ hostIfname }) => hostIfname));
      const stray = listLinks(route).filter(({ name }) => /^toy[0-9a-f]{8}$/.test(name) && !known.has(name));
      return stray.slice(0, most).map(({ name, index }) => ({
        kind: 'interface',
        what: `interface ${name}`,
        remove: () => void removeLink(route, index),
      }));
    },
  }),
};
