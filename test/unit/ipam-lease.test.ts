import t from 'tap';
import { formatAddress, parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import { leaseAddresses } from '../../ipam/lease.ts';
import type { PoolConfig } from '../../ipam/pool.ts';
import { MemoryLedger } from './ipam-ledger.ts';

const SCOPE = 'quay';

/** Leases and takes; "ADDRESS" of those that are new, "ADDRESS again" of others. */
function lease(ledger: MemoryLedger, config: PoolConfig, requested: readonly string[] = []): string {
  const source = { scope: SCOPE, config, extraRanges: [] };
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
