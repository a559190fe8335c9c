/**
 * Clients and containers at random, for months of virtual time: no address is ever two's, and who was told that he has
 * one has it as long as he was told. Seeded; FUZZ_SEED looks elsewhere.
 */
import t from 'tap';
import { leaseAddresses } from '../../ipam/lease.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import { LEASE, Rig, SCOPE, macNumber } from './dhcp-server-rig.ts';
import { attachment } from './ipam-record.ts';
import { randomFrom } from './ipam-ledger.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121);
const STEPS = 1500;
const CLIENTS = 14;
const CONTAINERS = 6;

interface Told {
  readonly address: string;
  readonly until: number;
}

t.test('one address plan', async (t) => {
  const random = randomFrom(SEED);
  const below = (limit: number): number => Math.floor(random() * limit);
  const rig = new Rig(t.testdir(), { rangeStart: '10.77.0.10', rangeEnd: '10.77.0.17' });
  /** What clients were told, and containers have: who, what, until when (by the boot clock). */
  const told = new Map<string, Told>();
  const has = { acks: 0, naks: 0, refused: 0 };

  const hear = (mac: string, answer: ReturnType<Rig['ask']>): void => {
    if (answer?.is === 'nak') {
      has.naks += 1;
      told.delete(mac);
    }
    if (answer?.is !== 'ack' || answer.address === undefined) return;
    has.acks += 1;
    told.set(mac, { address: answer.address, until: rig.now + LEASE * 1000 });
  };
  const container = (name: string): void => {
    const source = { scope: SCOPE, config: rig.network.server.pool ?? {}, extraRanges: [] };
    try {
      rig.store.write((tx) => {
        const { addresses } = leaseAddresses(tx, source, { requested: [], identities: [name] });
        tx.putAttachment(attachment(name, { network: 'lab', addresses }));
        told.set(name, { address: addresses[0]?.address.replace('/24', '') ?? '', until: Infinity });
      });
    } catch (error) {
      if (!(error instanceof NetmoorError) || error.kind !== 'pool-exhausted') throw error;
      has.refused += 1;
    }
  };
  const leave = (name: string): void => {
    rig.store.write((tx) => tx.removeAttachment({ network: 'lab', containerId: name, ifname: 'eth0' }));
    told.delete(name);
  };

  const client = (mac: string): void => {
    const mine = told.get(mac);
    const guess = `10.77.0.${8 + below(12)}`;
    const ways = [
      () => void rig.ask({ is: 'discover', mac, ...(below(2) ? { requested: guess } : {}) }),
      () => {
        const { address: requested } = rig.ask({ is: 'discover', mac }) ?? {};
        if (requested) hear(mac, rig.ask({ is: 'request', mac, requested, server: '10.77.0.1' }));
      },
      () => hear(mac, rig.ask({ is: 'discover', mac, rapid: true })),
      () => hear(mac, rig.ask({ is: 'request', mac, requested: guess })),
      () => hear(mac, rig.ask({ is: 'request', mac, ciaddr: mine?.address ?? guess })),
      () => {
        if (mine === undefined) return;
        rig.ask({ is: 'release', mac, ciaddr: mine.address, server: '10.77.0.1' });
        told.delete(mac);
      },
      () => {
        if (mine === undefined || below(4) > 0) return;
        rig.ask({ is: 'decline', mac, requested: mine.address, server: '10.77.0.1' });
        told.delete(mac);
      },
      () => void rig.ask({ is: 'request', mac, requested: guess, server: '10.77.0.200' }),
    ];
    ways[below(ways.length)]?.();
  };

  for (let step = 0; step < STEPS; step++) {
    rig.now += below(LEASE * 200);
    for (const [who, { until }] of told) if (until <= rig.now) told.delete(who);
    if (below(3) === 0) rig.expire();
    const name = `c${below(CONTAINERS)}`;
    if (below(6) === 0) (told.has(name) ? leave : container)(name);
    else client(macNumber(below(CLIENTS)));
    const addresses = [...told.values()].map(({ address }) => address);
    if (new Set(addresses).size !== addresses.length) {
      t.fail(`two have one address, step ${step} of seed ${SEED}: ${JSON.stringify([...told])}`);
      return;
    }
  }
  t.ok(has.acks > 100 && has.naks > 50 && has.refused > 0, `all of it happened: ${JSON.stringify(has)}`);
  const onRecord = rig.store.read((tx) => tx.attachments().flatMap(({ addresses }) => addresses));
  for (const { address } of told.values()) t.ok(onRecord.some((each) => each.address === `${address}/24`));
});
