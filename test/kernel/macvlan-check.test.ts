/** CHECK of macvlan-v6 names whatever is no longer as ADD left it. */
import t from 'tap';
import { addresses, inet6, network, skip, withRouter } from './macvlan-bed.ts';
import type { Bed } from './macvlan-bed.ts';
import { until } from './harness.ts';
import type { CniJson, Place } from './harness.ts';

t.setTimeout(120_000);

const MAC = '02:11:22:33:44:55';
const V4 = { subnet: '192.0.2.0/24', rangeStart: '192.0.2.10', rangeEnd: '192.0.2.20', gateway: '192.0.2.1' };
const CONFIG = {
  addressing: ['slaac', 'pool'],
  dad: 'off',
  ipam: {
    ranges: [[{ subnet: 'fd00:50::/64' }], [V4]],
    routes: [{ dst: 'fd00:99::/48', gw: 'fd00:50::1' }, { dst: '0.0.0.0/0' }],
  },
};

interface Attached extends Bed {
  readonly place: Place;
  /** Of the pool, of the router, of IPv4. */
  readonly pool: string;
  readonly slaac: string;
  readonly four: string;
}

/** One address of each source, without its length. */
function sorted(result: CniJson): Pick<Attached, 'pool' | 'slaac' | 'four'> {
  const all = addresses(result).map((address) => address.replace(/\/.*/, ''));
  const find = (prefix: string) => all.find((address) => address.startsWith(prefix)) ?? '';
  return { pool: find('fd00:50:'), slaac: find('2001:db8:'), four: find('192.0.2.') };
}

interface Harm {
  readonly harm: (attached: Attached) => Promise<unknown>;
  /** What CHECK names. */
  readonly named: (attached: Attached) => string;
}

async function dadFailed(place: Place, scope: 'global' | 'link'): Promise<boolean> {
  return (await inet6(place, scope)).some(({ dadfailed }) => dadfailed);
}

const HARMS: Readonly<Record<string, Harm>> = {
  'the address of the pool removed': {
    harm: async ({ place, pool }) => place.must(['ip', 'address', 'del', `${pool}/64`, 'dev', 'eth0']),
    named: ({ pool }) => pool,
  },
  'the address of the router removed': {
    harm: async ({ place, slaac }) => place.must(['ip', 'address', 'del', `${slaac}/64`, 'dev', 'eth0']),
    named: () => 'router advertisements',
  },
  'the IPv4 address removed': {
    harm: async ({ place, four }) => place.must(['ip', 'address', 'del', `${four}/24`, 'dev', 'eth0']),
    named: ({ four }) => four,
  },
  'an address that somebody else has': {
    async harm({ lan, place, pool }) {
      await lan.station('thief', { addresses: [`${pool}/64`] });
      await place.shell(`
        echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad
        ip address del ${pool}/64 dev eth0; ip address add ${pool}/64 dev eth0`);
      await until(async () => dadFailed(place, 'global'), 'detection fails');
    },
    named: ({ pool }) => pool,
  },
  'a link-local address that somebody else has': {
    async harm({ lan, place }) {
      const [own] = await inet6(place, 'link');
      await lan.station('thief', { linkLocal: own?.local ?? '' });
      await place.shell(`
        echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad
        ip link set eth0 down; ip link set eth0 up`);
      await until(async () => dadFailed(place, 'link'), 'detection fails');
    },
    named: () => 'fe80::11:22ff:fe33:4455',
  },
  'the mode changed': {
    harm: async ({ place }) =>
      place.must(['ip', 'link', 'set', 'eth0', 'type', 'macvlan', 'mode', 'private']),
    named: () => 'private',
  },
  'another MAC address': {
    harm: async ({ place }) => place.must(['ip', 'link', 'set', 'eth0', 'address', '02:11:22:33:44:66']),
    named: () => '02:11:22:33:44:66',
  },
  'the interface down': {
    harm: async ({ place }) => place.must(['ip', 'link', 'set', 'eth0', 'down']),
    named: () => 'eth0 is down',
  },
  'the master down': {
    harm: async ({ host }) => host.must(['ip', 'link', 'set', 'lan0', 'down']),
    named: () => 'lan0 is down',
  },
  'the master renamed': {
    harm: async ({ host }) => host.shell('ip link set lan0 down; ip link set lan0 name lan9 up'),
    named: () => 'lan9',
  },
  'the interface gone': {
    harm: async ({ place }) => place.must(['ip', 'link', 'del', 'eth0']),
    named: () => 'no interface eth0',
  },
  'a bridge in its place': {
    harm: async ({ place }) =>
      place.shell('ip link del eth0; ip link add eth0 type bridge; ip link set eth0 up'),
    named: () => 'no macvlan',
  },
  'a route of the configuration removed': {
    harm: async ({ place }) => place.must(['ip', '-6', 'route', 'del', 'fd00:99::/48']),
    named: () => 'fd00:99::/48',
  },
  'the IPv4 default route removed': {
    harm: async ({ place }) => place.must(['ip', 'route', 'del', 'default']),
    named: () => '0.0.0.0/0',
  },
  'the default route of the router removed': {
    harm: async ({ place }) => place.must(['ip', '-6', 'route', 'del', 'default']),
    named: () => 'default route',
  },
  'the master gone': {
    harm: async ({ host }) => host.must(['ip', 'link', 'del', 'lan0']),
    named: () => 'lan0',
  },
};

for (const [what, { harm, named }] of Object.entries(HARMS)) {
  t.test(what, { skip }, async (t) => {
    await withRouter(t, async (bed) => {
      const lanNetwork = network(bed.host, CONFIG);
      const { place, result } = await lanNetwork.container('c1', { mac: MAC });
      const attached = { ...bed, place, ...sorted(result) };
      t.equal(await lanNetwork.check('c1', result, { mac: MAC }), undefined, 'all is well');
      await harm(attached);
      t.match(await lanNetwork.check('c1', result, { mac: MAC }), named(attached), 'it is named');
      await lanNetwork.del('c1', { mac: MAC });
    });
  });
}
