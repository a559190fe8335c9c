import t from 'tap';
import { formatAddress, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import { leaseAddresses, noneIsNew } from '../../ipam/lease.ts';
import type { PoolConfig } from '../../ipam/pool.ts';
import { MemoryLedger } from './ipam-ledger.ts';

const SCOPE = 'quay';

/** Leases and takes; "ADDRESS" of those that are new, "ADDRESS again" of others. */
function lease(
  ledger: MemoryLedger,
  config: PoolConfig,
  requested: readonly string[] = [],
  isBlank: () => boolean = () => true,
): string {
  const source = { scope: SCOPE, config, extraRanges: [], isBlank };
  const wanted = { requested: requested.map(parseAddress), identities: [] };
  const { addresses, unused } = leaseAddresses(ledger, source, wanted);
  const chosen = addresses.map(({ address }) => formatAddress(parsePrefix(address).address));
  for (const address of chosen) ledger.take(SCOPE, address);
  return `${chosen.join(' ')}${unused ? '' : ' again'}`;
}

t.test('what nobody can remember is told apart from what somebody may', async (t) => {
  const ledger = new MemoryLedger();
  const config = { subnet: '10.22.0.0/28' };
  t.equal(lease(ledger, config), '10.22.0.2 again', 'of the first one nothing is known');
  t.equal(lease(ledger, config), '10.22.0.3');
  ledger.release(SCOPE, '10.22.0.3');
  t.equal(lease(ledger, config), '10.22.0.4', 'whatever was released below');
  t.equal(lease(ledger, config, ['10.22.0.9']), '10.22.0.9 again', 'who asks for one has told others');
  t.equal(lease(ledger, config), '10.22.0.5 again', 'below one that was leased');
  for (const last of [6, 7, 8]) t.equal(lease(ledger, config), `10.22.0.${last} again`);
  for (const last of [10, 11, 12, 13, 14]) t.equal(lease(ledger, config), `10.22.0.${last}`);
  t.equal(lease(ledger, config), '10.22.0.3 again', 'round again');
});

t.test('families for themselves; both have to be new', async (t) => {
  const ledger = new MemoryLedger();
  const ranges = [[{ subnet: '10.22.0.0/24' }], [{ subnet: 'fd00::/64' }]];
  t.match(lease(ledger, { ranges }), / again$/);
  t.equal(lease(ledger, { ranges }), '10.22.0.3 fd00::3');
  t.match(lease(ledger, { ranges: ranges.slice(0, 1) }, ['10.22.0.77']), / again$/);
  t.equal(lease(ledger, { ranges }), '10.22.0.4 fd00::4 again');
  t.equal(lease(ledger, { ranges: ranges.slice(1) }), 'fd00::5');
});

t.test('a reserved address is expected', async (t) => {
  const ledger = new MemoryLedger();
  const config = { subnet: '10.22.0.0/24', reservations: { mail: ['10.22.0.50'] } };
  lease(ledger, config);
  t.equal(lease(ledger, config), '10.22.0.3 again');
});

t.test('where anything may have been before, nothing is new', async (t) => {
  const ledger = new MemoryLedger();
  const config = { subnet: '10.22.0.0/24' };
  t.match(
    lease(ledger, config, [], () => false),
    / again$/,
  );
  t.equal(lease(ledger, config), '10.22.0.3 again', 'and so it stays');
  const other = new MemoryLedger();
  t.match(lease(other, config), / again$/);
  t.equal(
    lease(other, config, [], () => false),
    '10.22.0.3',
    'what is on file is known',
  );
  noneIsNew(other, SCOPE);
  t.equal(lease(other, config), '10.22.0.4 again');
});

t.test('of a family that comes later', async (t) => {
  const ledger = new MemoryLedger();
  const both = { ranges: [[{ subnet: '10.22.0.0/24' }], [{ subnet: 'fd00::/64' }]] };
  const plain = { ranges: both.ranges.slice(0, 1) };
  lease(ledger, plain);
  lease(ledger, both, [], () => false);
  t.equal(lease(ledger, both), '10.22.0.4 fd00::3 again');
  t.equal(lease(ledger, plain), '10.22.0.5', 'the other one is as it was');
});
