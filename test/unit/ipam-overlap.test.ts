/** ipam/overlap.ts, and how `netmoor networks` tells of it. */
import t from 'tap';
import { formatOverlap, overlaps } from '../../ipam/overlap.ts';
import { networkViews } from '../../cli/network-views.ts';
import { formatNetworks } from '../../cli/verbs/networks.ts';
import { parsePrefix, prefixesOverlap } from '../../lib/base/ip.ts';
import { validate as validNetworks } from '../../schemas/compiled/cli-networks.js';
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { NetworkRecord } from '../../ipam/record.ts';
import { randomFrom } from './ipam-ledger.ts';

const random = randomFrom(1519);

function owned(...texts: string[]): { network: string; subnet: string }[] {
  return texts.map((text) => {
    const [network = '', subnet = ''] = text.split(' ');
    return { network, subnet };
  });
}

t.test('who shares which addresses', async (t) => {
  t.strictSame(overlaps(owned('web 10.1.2.0/24', 'shop 10.1.0.0/16', 'web fd00::/64', 'far 10.2.0.0/16')), [
    {
      between: owned('shop 10.1.0.0/16', 'web 10.1.2.0/24'),
      first: '10.1.2.0',
      last: '10.1.2.255',
      addresses: '256',
    },
  ]);
  t.strictSame(overlaps(owned('web 10.1.2.0/24', 'web 10.1.0.0/16')), [], 'with oneself there is no quarrel');
  t.strictSame(overlaps(owned('a 0.0.0.0/8', 'b ::/8')), [], 'families have nothing in common');
  t.strictSame(overlaps([]), []);
  const [same, six] = overlaps(owned('a 10.0.0.0/31', 'b 10.0.0.0/31', 'c fd00::/64', 'd fd00::/112'));
  t.equal(
    same && formatOverlap(same),
    '10.0.0.0/31 of b is 10.0.0.0/31 of a: 2 addresses, 10.0.0.0-10.0.0.1',
  );
  t.equal(
    six && formatOverlap(six),
    'fd00::/112 of d lies in fd00::/64 of c: 65536 addresses, fd00::-fd00::ffff',
  );
});

t.test('every pair is found', async (t) => {
  for (let round = 0; round < 50; round++) {
    const subnets = Array.from({ length: 12 }, (_, index) => {
      const v6 = random() < 0.5;
      const length = 8 + Math.floor(random() * 9);
      const high = Math.floor(random() * 4) * 64;
      return {
        network: `n${index}`,
        subnet: v6 ? `${(0xfd00 + high).toString(16)}::/${length}` : `10.${high}.0.0/${length}`,
      };
    });
    const pairs = subnets.flatMap((a, index) =>
      subnets
        .slice(index + 1)
        .filter((b) => prefixesOverlap(parsePrefix(a.subnet), parsePrefix(b.subnet)))
        .map((b) => [a.network, b.network].toSorted().join()),
    );
    const found = overlaps(subnets).map(({ between }) =>
      between
        .map(({ network }) => network)
        .toSorted()
        .join(),
    );
    if (!t.strictSame(found.toSorted(), pairs.toSorted())) break;
  }
});

t.test('netmoor networks tells of it', async (t) => {
  const network = (name: string, subnet: string): NetworkRecord => ({
    name,
    plugin: 'bridge-nat',
    version: RECORD_VERSION,
    subnets: [subnet],
    automatic: false,
    createdAt: 0,
  });
  const viewsOf = (...networks: NetworkRecord[]): ReturnType<typeof networkViews> =>
    networkViews({ networks, records: [], cached: [], lists: [] });
  const apart = viewsOf(network('web', '10.1.0.0/16'), network('far', '10.2.0.0/16'));
  t.notMatch(apart, [{ overlaps: [] }]);
  t.notMatch(formatNetworks(apart), /lies in/);
  const views = viewsOf(
    network('web', '10.1.0.0/16'),
    network('shop', '10.1.2.0/24'),
    network('far', '10.2.0.0/16'),
  );
  t.ok(validNetworks(JSON.parse(JSON.stringify(views))), JSON.stringify(validNetworks.errors));
  t.strictSame(
    views.map(({ name, overlaps: shared }) => [name, shared?.length ?? 0]),
    [
      ['far', 0],
      ['shop', 1],
      ['web', 1],
    ],
  );
  t.match(
    formatNetworks(views).trimEnd().split('\n').at(-1),
    '10.1.2.0/24 of shop lies in 10.1.0.0/16 of web: 256 addresses, 10.1.2.0-10.1.2.255',
  );
  t.equal(formatNetworks(views).match(/lies in/g)?.length, 1, 'once');
});
