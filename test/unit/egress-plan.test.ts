/** Which default routes lead out, by the links and addresses there are. */
import t from 'tap';
import { formatAddress, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { fits, waysOut } from '../../plugins/bridge-nat/egress/plan.ts';

const UP = 0x1;
const POINT_TO_POINT = 0x10;

const LINKS = [
  { index: 1, name: 'tun10', flags: UP | POINT_TO_POINT },
  { index: 2, name: 'tun2', flags: UP | POINT_TO_POINT },
  { index: 3, name: 'wg0', flags: POINT_TO_POINT },
  { index: 4, name: 'eth1', flags: UP },
  { index: 5, name: 'tun3', flags: UP | POINT_TO_POINT },
] as unknown as readonly Link[];

const GIVEN: readonly (readonly [number, string, number])[] = [
  [1, '10.8.0.2/32', 0],
  [2, '10.9.0.2/32', 0],
  [2, 'fd09::2/64', 0],
  [3, '10.7.0.2/32', 0],
  [4, '192.0.2.7/24', 0],
  [4, 'fe80::4/64', 253],
  [4, 'fd04::7/64', 0],
  [5, 'fe80::5/64', 253],
];

function ways(family: Family, interfaces: readonly string[], ...via: string[]): unknown[] {
  const addresses = GIVEN.map(([index, text, scope]) => ({
    ...{ index, scope, flags: 0, protocol: 0 },
    prefix: parsePrefix(text),
  }));
  const egress = { bridge: 'nm0', table: 7, interfaces, via: via.map(parseAddress), subnets: [] };
  return waysOut(egress, { links: LINKS, addresses }, family).map(
    ({ interface: index, priority, gateway }) => [
      LINKS.find((link) => link.index === index)?.name,
      priority,
      ...(gateway ? [formatAddress(gateway)] : []),
    ],
  );
}

t.test('the preferred one first; down, and without an address of the family, none', async (t) => {
  t.strictSame(ways(4, ['wg0', 'tun*']), [
    ['tun2', 2000],
    ['tun10', 2002],
  ]);
  t.strictSame(ways(6, ['wg0', 'tun*']), [['tun2', 2000]], 'a link-local address leads nowhere');
  t.strictSame(ways(4, ['tun10', 'tun*']), [
    ['tun10', 1000],
    ['tun2', 2000],
  ]);
  t.strictSame(ways(4, ['tun']), [], 'a name is no pattern');
});

t.test('behind a link of many by the gateway that is on it', async (t) => {
  t.strictSame(ways(4, ['eth1']), []);
  t.strictSame(ways(4, ['eth1'], '198.51.100.1', '192.0.2.1'), [['eth1', 1000, '192.0.2.1']]);
  t.strictSame(ways(6, ['eth1'], '192.0.2.1', 'fe80::1'), [['eth1', 1000, 'fe80::1']]);
  t.strictSame(ways(6, ['eth1'], 'fd05::1'), []);
  t.strictSame(ways(4, ['tun2'], '192.0.2.1'), [['tun2', 1000]], 'a tunnel needs none');
});

t.test('patterns', async (t) => {
  t.ok(fits('tun*', 'tun0'));
  t.ok(fits('tun0', 'tun0'));
  t.notOk(fits('tun0', 'tun01'));
  t.notOk(fits('tun*', 'utun0'));
});
