/**
 * The lease store against a plain list: whatever is attached, replaced, detached, allocated, aborted and reopened, in
 * whatever order, both hold the same, and refuse the same. What fails is shrunk to the fewest steps that fail.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { formatAddress, formatPrefix, offsetAddress, parseAddress } from '../../lib/base/ip.ts';
import { allocate } from '../../ipam/allocate.ts';
import { parsePool } from '../../ipam/pool.ts';
import type { AttachmentRecord, PortRecord } from '../../ipam/record.ts';
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { LeaseStore, StoreReader } from '../../ipam/store/store.ts';
import { refusalOf } from '../refusal.ts';
import { MemoryLedger } from '../unit/ipam-ledger.ts';
import { attachment } from '../unit/ipam-record.ts';
import { asking } from './properties.ts';

const SCOPES = ['one', 'two'];
const POOL = parsePool({
  ranges: [
    [{ subnet: '10.22.0.0/29' }],
    [{ subnet: 'fd00:22::/64', rangeStart: 'fd00:22::2', rangeEnd: 'fd00:22::6' }],
  ],
});

interface Held {
  readonly scope: string;
  readonly addresses: readonly string[];
  readonly ports: readonly PortRecord[];
}

/** What should be. Names of containers are their keys; networks are the scopes. */
class Model {
  readonly ledger = new MemoryLedger();
  readonly held = new Map<string, Held>();

  /** What of the record others hold: the kind of the refusal. */
  refusal(container: string, { scope, addresses, ports }: Held): string | undefined {
    const others = [...this.held].filter(([name]) => name !== container).map(([, other]) => other);
    const isTaken = (address: string) =>
      others.some((other) => other.scope === scope && other.addresses.includes(address));
    if (addresses.some(isTaken)) return 'address-taken';
    const collides = (port: PortRecord) =>
      others.some((other) => other.ports.some((theirs) => meet(port, theirs)));
    return ports.some(collides) ? 'port-taken' : undefined;
  }

  put(container: string, next: Held): void {
    const before = this.held.get(container);
    for (const address of before?.addresses ?? [])
      if (before?.scope !== next.scope || !next.addresses.includes(address))
        this.ledger.release(before?.scope ?? '', address);
    for (const address of next.addresses) this.ledger.take(next.scope, address, container);
    this.held.set(container, next);
  }

  remove(container: string): void {
    const before = this.held.get(container);
    for (const address of before?.addresses ?? []) this.ledger.release(before?.scope ?? '', address);
    this.held.delete(container);
  }
}

/** The families in which a port is published, and where: '*' is every address. */
function places({ hostIp }: PortRecord): ReadonlyMap<number, string> {
  if (hostIp === undefined)
    return new Map([
      [4, '*'],
      [6, '*'],
    ]);
  const { family, value } = parseAddress(hostIp);
  return new Map([[family, value === 0n ? '*' : hostIp]]);
}

function meet(a: PortRecord, b: PortRecord): boolean {
  const apart = a.hostPort >= b.hostPort + b.count || b.hostPort >= a.hostPort + a.count;
  if (a.protocol !== b.protocol || apart) return false;
  const theirs = places(b);
  return [...places(a)].some(([family, place]) => {
    const other = theirs.get(family);
    return other !== undefined && (place === '*' || other === '*' || place === other);
  });
}

/** The store, which may be closed and opened again. */
class Real {
  readonly #dir: string;
  store: LeaseStore;

  constructor(dir: string) {
    this.#dir = dir;
    this.store = this.#open();
  }

  #open(): LeaseStore {
    return openStore({ dir: this.#dir, bootId: 'boot', hostId: '', now: () => performance.now() });
  }

  reopen(): void {
    this.store.close();
    this.store = this.#open();
  }
}

function recordOf(container: string, { scope, addresses, ports }: Held): AttachmentRecord {
  return attachment(container, {
    network: 'net',
    bootId: 'boot',
    addresses: addresses.map((address) => ({
      address: `${address}/${address.includes(':') ? 64 : 29}`,
      scope,
    })),
    ports,
  });
}

/** Throws when they differ. */
function same(what: string, is: unknown, should: unknown): void {
  if (!isDeepStrictEqual(is, should))
    throw new Error(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`);
}

function compare({ ledger, held }: Model, reader: StoreReader): void {
  same(
    'records',
    reader
      .attachments()
      .map(({ containerId }) => containerId)
      .sort(),
    [...held.keys()].sort(),
  );
  for (const scope of SCOPES) {
    const told = (address: ReturnType<StoreReader['nextFree']>) => address && formatAddress(address);
    same('released', reader.recentlyReleased(scope).map(told), ledger.recentlyReleased(scope).map(told));
    for (const set of POOL.sets)
      for (const { start, end } of set) {
        same('next free', told(reader.nextFree(scope, start, end)), told(ledger.nextFree(scope, start, end)));
        same('how many', reader.countTaken(scope, start, end), ledger.countTaken(scope, start, end));
      }
  }
  same('consistency', checkStore(reader), []);
}

type Step = fc.Command<Model, Real>;

function step(what: string, run: (model: Model, real: Real) => void): Step {
  const whole = (model: Model, real: Real): void => {
    run(model, real);
    real.store.read((reader) => compare(model, reader));
  };
  return { check: () => true, run: whole, toString: () => what };
}

const container = fc.constantFrom(...Array.from({ length: 6 }, (_, index) => `c${index}`));
const scope = fc.constantFrom(...SCOPES);
const address = fc
  .tuple(fc.constantFrom('10.22.0.0', 'fd00:22::'), fc.nat(7))
  .map(([base, by]) => formatAddress(offsetAddress(parseAddress(base), BigInt(by))));
const port: fc.Arbitrary<PortRecord> = fc
  .record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    hostIp: fc.constantFrom(undefined, '0.0.0.0', '::', '192.0.2.1', '2001:db8::1'),
    hostPort: fc.integer({ min: 8000, max: 8006 }),
    count: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ hostIp, ...rest }) => ({
    ...rest,
    containerPort: 80,
    ...(hostIp === undefined ? {} : { hostIp }),
  }));
const holding: fc.Arbitrary<Held> = fc.record({
  scope,
  addresses: fc.uniqueArray(address, { maxLength: 2 }),
  ports: fc
    .array(port, { maxLength: 2 })
    .filter(([a, b]) => a === undefined || b === undefined || !meet(a, b)),
});

const way = fc.constantFrom('write' as const, 'intend' as const);

const put = fc.tuple(container, holding, way).map(([name, wanted, by]) =>
  step(`put ${name} ${JSON.stringify(wanted)} (${by})`, (model, real) => {
    const expected = model.refusal(name, wanted);
    const is = refusalOf(() => real.store[by]((tx) => tx.putAttachment(recordOf(name, wanted))));
    same('refusal', is, expected);
    if (expected === undefined) model.put(name, wanted);
  }),
);

function removeFrom(model: Model, real: Real, name: string): void {
  real.store.write((tx) => tx.removeAttachment({ network: 'net', containerId: name, ifname: 'eth0' }));
  model.remove(name);
}

const remove = container.map((name) =>
  step(`remove ${name}`, (model, real) => removeFrom(model, real, name)),
);

const take = fc.tuple(container, scope, way).map(([name, where, by]) =>
  step(`allocate ${name} ${where} (${by})`, (model, real) => {
    removeFrom(model, real, name);
    const wanted = { requested: [], identities: [] };
    const texts = (list: ReturnType<typeof allocate>) =>
      list.map(({ address: prefix }) => formatPrefix(prefix));
    let ours: readonly string[] | undefined;
    const expected = refusalOf(() => (ours = texts(allocate(model.ledger, where, POOL, wanted))));
    let theirs: readonly string[] | undefined;
    const refusal = refusalOf(() =>
      real.store[by]((tx) => {
        theirs = texts(allocate(tx, where, POOL, wanted));
        const addresses = theirs.map((text) => text.replace(/\/.*/, ''));
        tx.putAttachment(recordOf(name, { scope: where, addresses, ports: [] }));
      }),
    );
    same('refusal', refusal, expected);
    same('addresses', theirs, ours);
    const addresses = (ours ?? []).map((text) => text.replace(/\/.*/, ''));
    if (ours !== undefined) model.put(name, { scope: where, addresses, ports: [] });
  }),
);

const abort = fc.tuple(container, holding, way).map(([name, wanted, by]) =>
  step(`abort ${name} (${by})`, (_, real) => {
    const thrown = new Error('changed my mind');
    try {
      real.store[by]((tx) => {
        tx.removeAttachment({ network: 'net', containerId: name, ifname: 'eth0' });
        if (tx.attachments().length === 0) tx.putAttachment(recordOf(name, wanted));
        throw thrown;
      });
    } catch (error) {
      if (error !== thrown) throw error;
    }
  }),
);

const reopen = fc.constant(step('reopen', (_, real) => real.reopen()));

t.test('the store and a plain list', async (t) => {
  let number = 0;
  const base = t.testdir();
  const agree = fc.property(
    fc.commands([put, put, take, remove, abort, reopen], { maxCommands: 30 }),
    (steps) => {
      const real = new Real(`${base}/${number++}`);
      try {
        fc.modelRun(() => ({ model: new Model(), real }), steps);
      } finally {
        real.store.close();
      }
    },
  );
  fc.assert(agree, asking(100));
  t.pass(`${number} stores`);
});
