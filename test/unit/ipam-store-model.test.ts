import t from 'tap';
import type { Address } from '../../lib/base/ip.ts';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import { RECORD_VERSION } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { StoreTransaction } from '../../ipam/store/store.ts';
import { MemoryLedger, randomFrom } from './ipam-ledger.ts';

const SCOPES = ['one', 'two'];

function record(containerId: string, scope: string, addresses: string[]): AttachmentRecord {
  return {
    network: scope,
    containerId,
    ifname: 'eth0',
    plugin: 'bridge-nat',
    state: 'attached',
    version: RECORD_VERSION,
    incarnation: containerId,
    bootId: 'boot',
    createdAt: 1,
    addresses: addresses.map((address) => ({
      address: `${address}/${address.includes(':') ? 64 : 16}`,
      scope,
    })),
    ports: [],
    detail: {},
  };
}

/** Addresses close together, at both ends of the families too, so that stretches touch, join and split. */
function randomAddress(random: () => number): Address {
  const bases = [
    '10.22.0.0',
    '10.22.255.200',
    '0.0.0.0',
    '255.255.255.200',
    '::',
    'fd00::ff00',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffc0',
  ];
  return further(parseAddress(bases[Math.floor(random() * bases.length)] ?? '::'), Math.floor(random() * 56));
}

function further({ family, value }: Address, by: number): Address {
  const top = family === 4 ? 0xffffffffn : (1n << 128n) - 1n;
  const sum = value + BigInt(by);
  return { family, value: sum > top ? top : sum };
}

function compare(tx: StoreTransaction, model: MemoryLedger, scope: string, random: () => number): string[] {
  const from = randomAddress(random);
  const to = further(from, Math.floor(random() * 80));
  const text = (address: Address | undefined): string => (address ? formatAddress(address) : 'none');
  const differences: string[] = [];
  const same = (what: string, stored: unknown, expected: unknown): void => {
    if (JSON.stringify(stored) !== JSON.stringify(expected)) {
      const [is, should] = [stored, expected].map((value) => JSON.stringify(value).slice(0, 60));
      differences.push(`${what} ${scope} ${text(from)}: ${is}, not ${should}`);
    }
  };
  same('nextFree', text(tx.nextFree(scope, from, to)), text(model.nextFree(scope, from, to)));
  same('isTaken', tx.isTaken(scope, from), model.isTaken(scope, from));
  same('owner', tx.addressOwner(scope, from), model.addressOwner(scope, from));
  same('count', tx.countTaken(scope, from, to), model.countTaken(scope, from, to));
  same('released', tx.recentlyReleased(scope).map(text), model.recentlyReleased(scope).map(text));
  return differences;
}

t.test('the stored ledger behaves as a plain list does, over thousands of random changes', async (t) => {
  const seed = 31;
  const random = randomFrom(seed);
  const model = new MemoryLedger();
  const store = openStore({ dir: t.testdir(), bootId: 'boot', hostId: '', now: Date.now });
  const held = new Map<string, { scope: string; address: string }>();
  let number = 0;
  let removed = 0;
  for (let round = 0; round < 40; round++) {
    const change = random() < 0.5 ? store.intend.bind(store) : store.write.bind(store);
    const differences = change((tx) => {
      const found: string[] = [];
      for (let step = 0; step < 100; step++) {
        const scope = SCOPES[Math.floor(random() * 2)] ?? 'one';
        const address = randomAddress(random);
        const keys = [...held.keys()];
        if (random() < 0.55 || keys.length === 0) {
          if (tx.isTaken(scope, address)) continue;
          const containerId = `c${number++}`;
          tx.putAttachment(record(containerId, scope, [formatAddress(address)]));
          model.take(scope, formatAddress(address), containerId);
          held.set(containerId, { scope, address: formatAddress(address) });
        } else {
          const containerId = keys[Math.floor(random() * keys.length)] ?? '';
          const lease = held.get(containerId);
          if (lease === undefined) continue;
          tx.removeAttachment({ network: lease.scope, containerId, ifname: 'eth0' });
          model.release(lease.scope, lease.address);
          held.delete(containerId);
          removed++;
        }
        found.push(...compare(tx, model, scope, random));
      }
      return found;
    });
    t.same(differences, [], `round ${round} of seed ${seed}`);
    t.same(store.read(checkStore), [], 'consistent with itself');
  }
  t.ok(removed > 2 * 2 * 256, `${removed} releases: more than are remembered`);
  t.equal(
    store.read((reader) => reader.attachments().length),
    held.size,
  );
  store.close();
});
