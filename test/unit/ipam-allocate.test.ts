import t from 'tap';
import { formatAddress, formatPrefix, parseAddress } from '../../lib/base/ip.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import { allocate, exhaustedSets } from '../../ipam/allocate.ts';
import type { Pool, PoolConfig } from '../../ipam/pool.ts';
import { parsePool } from '../../ipam/pool.ts';
import { MemoryLedger } from './ipam-ledger.ts';
import { naming } from '../naming.ts';

interface Asked {
  requested?: string[];
  identities?: string[];
}

/** Allocates and takes, as a caller does in one transaction. */
function attach(ledger: MemoryLedger, pool: Pool, asked: Asked = {}): string[] {
  const requested = (asked.requested ?? []).map(parseAddress);
  const allocated = allocate(ledger, 'net', pool, { requested, identities: asked.identities ?? [] });
  for (const { address } of allocated)
    ledger.take('net', formatAddress(address.address), asked.identities?.[0]);
  return allocated.map(({ address }) => formatPrefix(address));
}

function failure(ledger: MemoryLedger, pool: Pool, asked: Asked = {}): NetmoorError | undefined {
  try {
    attach(ledger, pool, asked);
  } catch (error) {
    if (error instanceof NetmoorError) return error;
    throw error;
  }
  return undefined;
}

const small: PoolConfig = { subnet: '10.22.0.0/29' };

t.test('round robin, from where the last one ended', async (t) => {
  const ledger = new MemoryLedger();
  const pool = parsePool(small);
  t.same(attach(ledger, pool), ['10.22.0.2/29']);
  t.same(attach(ledger, pool), ['10.22.0.3/29']);
  ledger.release('net', '10.22.0.2');
  t.same(attach(ledger, pool), ['10.22.0.4/29'], 'onwards, not back to what was freed');
  t.same(attach(ledger, pool), ['10.22.0.5/29']);
  t.same(attach(ledger, pool), ['10.22.0.6/29']);
  t.same(attach(ledger, pool), ['10.22.0.2/29'], 'round, when only the released one is left');
  t.equal(failure(ledger, pool)?.kind, 'pool-exhausted');
});

t.test('a just-released address rests while others are free, then the oldest comes first', async (t) => {
  const ledger = new MemoryLedger();
  const pool = parsePool({ subnet: '10.22.0.0/29', exclude: ['10.22.0.6'] });
  for (const _ of [1, 2, 3]) attach(ledger, pool);
  ledger.release('net', '10.22.0.3');
  ledger.release('net', '10.22.0.2');
  t.same(attach(ledger, pool), ['10.22.0.5/29'], 'the one that was never used');
  t.same(attach(ledger, pool), ['10.22.0.3/29'], 'then the one released longest ago');
  t.same(attach(ledger, pool), ['10.22.0.2/29']);
});

t.test('one address from each set, several ranges as one pool', async (t) => {
  const ledger = new MemoryLedger();
  const pool = parsePool({
    ranges: [
      [
        { subnet: '10.1.0.0/24', rangeStart: '10.1.0.7', rangeEnd: '10.1.0.8' },
        { subnet: '10.2.0.0/16', rangeStart: '10.2.0.3', rangeEnd: '10.2.0.3' },
      ],
      [{ subnet: 'fd00::/64' }],
    ],
  });
  t.same(attach(ledger, pool), ['10.1.0.7/24', 'fd00::2/64']);
  t.same(attach(ledger, pool), ['10.1.0.8/24', 'fd00::3/64']);
  t.same(attach(ledger, pool), ['10.2.0.3/16', 'fd00::4/64']);
  const error = failure(ledger, pool);
  t.equal(error?.kind, 'pool-exhausted');
  t.match(error?.message, naming('10.1.0.7-10.1.0.8', '10.2.0.3-10.2.0.3'));
  t.match(error?.details, 'netmoor gc');
});

t.test('gateways come with the addresses', async (t) => {
  const pool = parsePool({
    ranges: [[{ subnet: '10.1.0.0/24', gateway: '10.1.0.254' }], [{ subnet: 'fd00::/64' }]],
  });
  const allocated = allocate(new MemoryLedger(), 'net', pool, { requested: [], identities: [] });
  t.same(
    allocated.map(({ gateway }) => formatAddress(gateway)),
    ['10.1.0.254', 'fd00::1'],
  );
});

t.test('requested addresses go to the sets they fit', async (t) => {
  const ledger = new MemoryLedger();
  const pool = parsePool({ ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00::/64' }]] });
  t.same(attach(ledger, pool, { requested: ['fd00::77', '10.1.0.9'] }), ['10.1.0.9/24', 'fd00::77/64']);
  t.same(
    attach(ledger, pool, { requested: ['fd00::78'] }),
    ['10.1.0.2/24', 'fd00::78/64'],
    'the other set as usual',
  );
  t.same(attach(ledger, pool), ['10.1.0.3/24', 'fd00::2/64'], 'requests do not move round robin');
  ledger.release('net', '10.1.0.9');
  t.same(attach(ledger, pool, { requested: ['10.1.0.9'] }), ['10.1.0.9/24', 'fd00::3/64'], 'released or not');
});

t.test('requests that cannot be granted', async (t) => {
  const ledger = new MemoryLedger();
  const pool = parsePool({
    subnet: '10.1.0.0/24',
    rangeStart: '10.1.0.0',
    rangeEnd: '10.1.0.99',
    exclude: ['10.1.0.50'],
    reservations: { web: ['10.1.0.60'] },
  });
  ledger.take('net', '10.1.0.9', 'first');
  const cases: [requested: string[], kind: string, ...string[]][] = [
    [['10.1.0.100'], 'address-invalid', '10.1.0.100', '10.1.0.0-10.1.0.99'],
    [['fd00::1'], 'address-invalid', 'fd00::1'],
    [['10.1.0.5', '10.1.0.6'], 'address-invalid', '10.1.0.6'],
    [['10.1.0.0'], 'address-invalid', '10.1.0.0'],
    [['10.1.0.1'], 'address-invalid', '10.1.0.1'],
    [['10.1.0.50'], 'address-invalid', '10.1.0.50'],
    [['10.1.0.9'], 'address-taken', '10.1.0.9', 'net/first/eth0'],
    [['10.1.0.60'], 'address-taken', '10.1.0.60', 'web'],
  ];
  for (const [requested, kind, ...things] of cases) {
    const error = failure(ledger, pool, { requested });
    t.equal(error?.kind, kind, requested.join(' '));
    t.match(error?.message, naming(...things));
    t.ok(error?.details);
  }
});

t.test('reservations', async (t) => {
  const ledger = new MemoryLedger();
  const pool = parsePool({
    ranges: [
      [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.2', rangeEnd: '10.1.0.4' }],
      [{ subnet: 'fd00::/64' }],
    ],
    exclude: ['10.1.0.3'],
    reservations: { web: ['10.1.0.2', '10.1.0.200', 'fd00::80'], cafe01: ['10.1.0.3'] },
  });
  t.same(attach(ledger, pool, { identities: ['other'] }), ['10.1.0.4/24', 'fd00::2/64'], 'kept from others');
  t.equal(failure(ledger, pool, { identities: ['other'] })?.kind, 'pool-exhausted');
  t.same(attach(ledger, pool, { identities: ['b0b', 'web'] }), ['10.1.0.2/24', 'fd00::80/64'], 'by name');
  t.same(
    attach(ledger, pool, { identities: ['cafe01'] }),
    ['10.1.0.3/24', 'fd00::3/64'],
    'by id, excluded for the rest; round robin where nothing is reserved',
  );
  const requested = ['10.1.0.200', 'fd00::99'];
  t.same(
    attach(ledger, pool, { identities: ['web'], requested }),
    ['10.1.0.200/24', 'fd00::99/64'],
    'on request',
  );
  const error = failure(ledger, pool, { identities: ['cafe01'] });
  t.equal(error?.kind, 'address-taken', 'a reservation is not replaced by another address');
  t.match(error?.message, naming('10.1.0.3', 'net/cafe01/eth0'));
});

t.test('the second of two reserved addresses is taken when the first is held', async (t) => {
  const ledger = new MemoryLedger();
  const pool = parsePool({ ...small, reservations: { web: ['10.22.0.5', '10.22.0.6'] } });
  t.same(attach(ledger, pool, { identities: ['web'] }), ['10.22.0.5/29']);
  t.same(attach(ledger, pool, { identities: ['web'] }), ['10.22.0.6/29']);
});

t.test('exhausted sets are named for STATUS', async (t) => {
  const ledger = new MemoryLedger();
  const pool = parsePool({ ranges: [[{ subnet: '10.1.0.0/30' }], [{ subnet: 'fd00::/64' }]] });
  t.same(exhaustedSets(ledger, 'net', pool), []);
  attach(ledger, pool);
  t.same(exhaustedSets(ledger, 'net', pool), ['10.1.0.1-10.1.0.2']);
  ledger.release('net', '10.1.0.2');
  t.same(exhaustedSets(ledger, 'net', pool), [], 'a released address can be had, if late');
});
