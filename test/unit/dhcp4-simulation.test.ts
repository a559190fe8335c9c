/**
 * The DHCPv4 client among servers that come and go, on a link that loses frames, beside somebody who makes up answers.
 * Repeat with SIMULATION_SEED.
 */
import t from 'tap';
import { randomOf, pick } from '../fuzz/random.ts';
import { LEASE_TIME, SERVER_IDENTIFIER, written } from '../../ipam/dhcp/v4/options/known.ts';
import { reply } from './dhcp4-messages.ts';
import { ServerModel } from './dhcp4-server-model.ts';
import { World } from './dhcp4-world.ts';
import type { WorldOptions } from './dhcp4-world.ts';

const SEED = Number(process.env['SIMULATION_SEED'] ?? 20261121);
const WORLDS = 150;
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
const [ONE, TWO, EVIL] = ['192.0.2.1', '198.51.100.1', '203.0.113.66'];

const count = ({ trace }: World, what: string): number =>
  trace.filter((line) => line.includes(` ${what}`)).length;

t.test('a year of renewals', async (t) => {
  const server = new ServerModel(ONE, '192.0.2', 7200);
  const world = new World({ seed: SEED, servers: [server] });
  const begun = performance.now();
  world.run(365 * DAY);
  t.comment(`${count(world, 'hold')} renewals in ${Math.round(performance.now() - begun)} ms`);
  t.strictSame(world.violations, []);
  t.equal(world.state, 'BOUND');
  t.equal(count(world, 'lose'), 0);
  t.ok(count(world, 'hold') >= 365 * 24 && count(world, 'hold') < 365 * 24 * 1.03);
  t.equal(count(world, 'send discover'), 1);
  t.equal(count(world, 'send request'), count(world, 'hold'), 'one REQUEST for each');
});

t.test('a thousand renewals on a link that loses every fifth frame', async (t) => {
  for (const lease of [60, 600, 86_400]) {
    const options = { seed: SEED + lease, loss: 0.2, doubled: 0.1, delay: 1500 };
    const world = new World({ ...options, servers: [new ServerModel(ONE, '192.0.2', lease)] }).run(
      lease * 500_000,
    );
    t.strictSame(world.violations, []);
    t.ok(world.lease, `a lease of ${lease} s`);
    t.ok(count(world, 'lose') <= 20, `${count(world, 'lose')} times lost`);
  }
});

t.test('the server is gone, another one has other addresses', async (t) => {
  const [old, fresh] = [new ServerModel(ONE, '192.0.2', 3600), new ServerModel(TWO, '198.51.100', 3600)];
  fresh.isUp = false;
  const world = new World({ seed: SEED, servers: [old, fresh] }).run(HOUR);
  t.equal(world.lease?.server, ONE);
  old.isUp = false;
  fresh.isUp = true;
  world.run(2 * HOUR + 10 * MINUTE);
  t.match(world.lease, { server: TWO, address: '198.51.100.100/24' });
  t.equal(count(world, 'lose'), 1, 'when its time was over');
  t.strictSame(world.violations, []);
});

t.test('another server takes over what the first one leased', async (t) => {
  const [old, heir] = [new ServerModel(ONE, '192.0.2', 3600), new ServerModel(TWO, '192.0.2', 3600)];
  heir.inherit(old);
  heir.isUp = false;
  const world = new World({ seed: SEED, servers: [old, heir] }).run(HOUR);
  old.isUp = false;
  heir.isUp = true;
  const before = world.lease?.address;
  world.run(2 * HOUR);
  t.match(world.lease, { server: TWO, address: before });
  t.equal(count(world, 'lose'), 0);
  t.strictSame(world.violations, []);
});

t.test('a server that has forgotten everything refuses, and leases anew', async (t) => {
  const server = new ServerModel(ONE, '192.0.2', 3600);
  const world = new World({ seed: SEED, servers: [server] }).run(HOUR);
  server.forget();
  world.run(2 * HOUR);
  t.equal(count(world, 'lose'), 1);
  t.equal(world.lease?.server, ONE);
  t.strictSame(world.violations, []);
});

t.test('addresses that somebody else has are declined, and given back in the end', async (t) => {
  const server = new ServerModel(ONE, '192.0.2', 600);
  let others = 3;
  const taken = (): boolean => others-- > 0;
  const world = new World({ seed: SEED, servers: [server], wish: { checkAddress: true }, taken }).run(HOUR);
  t.strictSame([...server.declined], ['192.0.2.100', '192.0.2.101', '192.0.2.102']);
  t.equal(world.lease?.address, '192.0.2.103/24');
  world.on({ is: 'release' });
  world.run(HOUR + MINUTE);
  t.strictSame(server.released, ['192.0.2.103']);
  t.equal(world.state, 'RELEASED');
  t.strictSame(world.violations, []);
});

/** Answers of one who hears everything, but whose server nobody chose: right in all but that. */
function lie(world: World, random: () => number): void {
  const type = pick(random, ['ack', 'nak', 'offer'] as const);
  const isExpected = world.state === 'REQUESTING' || world.state === 'RENEWING';
  const xid = isExpected && random() < 0.8 ? world.xid : Math.floor(random() * 2 ** 32);
  const entries = [written(SERVER_IDENTIFIER, EVIL), written(LEASE_TIME, 600)];
  world.deliver(reply(type, xid, entries, { yiaddr: '203.0.113.7' }));
  const other = { yiaddr: '203.0.113.8', chaddr: '02:00:00:00:00:02' };
  world.deliver(reply(type, world.xid, [written(SERVER_IDENTIFIER, ONE), written(LEASE_TIME, 600)], other));
  if (world.heard.length > 0) world.deliver(pick(random, world.heard));
}

/** Hours of all that can happen. */
function chaos(seed: number, restarts: number): { world: World; servers: ServerModel[] } {
  // Not the client's own numbers: its xids could be guessed.
  const random = randomOf(seed + 1e6);
  const others = randomOf(seed + 2e6);
  const lease = pick(random, [5, 10, 60, 600, 7200]);
  const servers = [new ServerModel(ONE, '192.0.2', lease), new ServerModel(TWO, '198.51.100', lease)];
  const options: WorldOptions = {
    seed,
    servers,
    restarts,
    loss: random() * 0.4,
    doubled: random() * 0.3,
    delay: random() * 900,
    taken: () => others() < 0.2,
    wish: { checkAddress: random() < 0.5 },
  };
  const world = new World(options);
  const length = Math.min(lease * 1000 * 20, 8 * HOUR);
  for (let at = 0; at < length; at += random() * lease * 700) {
    world.run(at);
    const server = pick(random, servers);
    const chance = random();
    if (chance < 0.2) server.isUp = !server.isUp;
    else if (chance < 0.3) world.on({ is: 'uncertain' });
    else if (chance < 0.35 && world.lease)
      world.on({ is: 'duplicate', address: world.lease.address.replace('/24', '') });
    else lie(world, random);
  }
  world.run(length);
  return { world, servers };
}

t.test(`${WORLDS} worlds, SIMULATION_SEED=${SEED}`, async (t) => {
  let [holds, losses, releases] = [0, 0, 0];
  for (let seed = SEED; seed < SEED + WORLDS; seed++) {
    const { world } = chaos(seed, 0);
    const { world: restarted } = chaos(seed, 0.3);
    t.strictSame(world.violations, [], `seed ${seed}`);
    t.strictSame(restarted.violations, [], `seed ${seed}`);
    t.strictSame(restarted.trace, world.trace, `restarts cannot be seen, seed ${seed}`);
    holds += count(world, 'hold');
    losses += count(world, 'lose');
    world.on({ is: 'release' });
    releases += count(world, 'send release');
    t.equal(world.state, 'RELEASED');
  }
  t.comment(`${holds} times held, ${losses} times lost, ${releases} times released`);
  t.ok(holds > 1000 && losses > 100 && releases > 50);
});

t.test('when all is well again, everybody gets an address', async (t) => {
  for (let seed = SEED; seed < SEED + 15; seed++) {
    const { world, servers } = chaos(seed, 0);
    for (const server of servers) {
      server.isUp = true;
      server.declined.clear();
    }
    world.run(world.now + 2 * HOUR);
    const last = world.trace.findLast((line) => line.includes(' hold'));
    t.ok(Number.parseFloat(last ?? '') > world.now - 2 * HOUR, `seed ${seed}`);
  }
});
