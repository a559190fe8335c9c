/** Attachments to one master that come and go at the same moment. */
import t from 'tap';
import { withHost } from './harness.ts';
import type { CniAnswer, Host } from './harness.ts';
import { Lan } from './lan.ts';
import { POOL, named, onRecord, skip, state, usedNetwork } from './macvlan-bed.ts';
import type { Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';

/** What `netmoor check` has to say against anybody or anything. */
async function faults(host: Host): Promise<unknown[]> {
  const { view } = await asked(host, 'check');
  return [...view.attachments.filter(({ differences }) => differences.length > 0), ...view.store];
}

t.setTimeout(180_000);
t.jobs = 2;

const ROUNDS = 6;
const TRY_AGAIN = 11;

async function used(host: Host, config: object = POOL): Promise<Network> {
  await Lan.open(host);
  return usedNetwork(host, { ...config });
}

function codes(answers: readonly CniAnswer[]): number[] {
  return answers.map(({ code, json }) => (code === 0 ? 0 : (json?.code ?? -1))).sort((a, b) => a - b);
}

t.test('two ADDs of one key', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await used(host);
    await host.container('c1');
    const before = await state(host);
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await Promise.all([lan.run('ADD', 'c1'), lan.run('ADD', 'c1')]);
      const won = answers.filter(({ code }) => code === 0);
      // The second may find the first one done, and begin anew.
      t.ok(won.length >= 1, `one of them succeeds: ${codes(answers)}`);
      t.equal((await asked(host, 'leases')).view.leases.length, 1, 'one address is held');
      t.same(await faults(host), [], 'and all is as promised');
      await lan.del('c1');
      t.same(await state(host), before);
    }
  });
});

t.test('DEL, and DEL with ADD behind it', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await used(host);
    await host.container('c1');
    for (let round = 0; round < ROUNDS; round++) {
      await lan.add('c1');
      const again = async (): Promise<CniAnswer> => {
        await lan.run('DEL', 'c1');
        return lan.run('ADD', 'c1');
      };
      const [late, added] = await Promise.all([lan.run('DEL', 'c1'), again()]);
      t.equal(late.code, 0, late.stdout);
      t.ok([0, TRY_AGAIN].includes(codes([added])[0] ?? -1), added.stdout);
      const { view } = await asked(host, 'ls');
      t.same(
        view.filter(({ stale }) => stale !== undefined),
        [],
        'nothing is half there',
      );
      if (view.length > 0) t.same(await faults(host), [], 'who is attached has everything');
      await lan.del('c1');
      t.equal(await onRecord(host), 0);
    }
  });
});

t.test('twenty at once, with an address for each', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const range = { subnet: 'fd00:50::/64', rangeStart: 'fd00:50::10', rangeEnd: 'fd00:50::23' };
    const lan = await used(host, { ipam: { ranges: [[range]] } });
    const before = await state(host);
    const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
    for (const name of names) await host.container(name);
    const answers = await Promise.all(names.map((name) => lan.run('ADD', name)));
    t.same(
      codes(answers),
      names.map(() => 0),
    );
    t.equal(new Set(answers.map(({ json }) => json?.ips?.[0]?.address)).size, 20, 'all differ');
    t.same(await faults(host), []);
    const gone = await Promise.all(names.map((name) => lan.run('DEL', name)));
    t.same(
      codes(gone),
      names.map(() => 0),
    );
    for (const name of names) await host.removeContainer(name);
    t.same(await state(host), before, 'and nothing is left');
    t.equal(await onRecord(host), 0);
  });
});

t.test('ADD while the last one on the master goes', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await used(host, { ...POOL, hostAccess: true });
    for (const name of ['c1', 'c2']) await host.container(name);
    const before = await state(host);
    await lan.add('c1');
    for (let round = 0; round < ROUNDS; round++) {
      const [leaving, coming] = round % 2 === 0 ? ['c1', 'c2'] : ['c2', 'c1'];
      const answers = await Promise.all([lan.run('DEL', leaving), lan.run('ADD', coming)]);
      t.same(codes(answers), [0, 0]);
      t.same(await faults(host), [], 'the one that stays has all it shares');
    }
    await lan.del('c1');
    t.same(await state(host), before);
  });
});

t.test('the same name again, right after its process died', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await used(host);
    for (let round = 0; round < ROUNDS; round++) {
      const { place, stop } = await host.processContainer('web');
      const first = await lan.run('ADD', `id${round}`, named('web'), {}, place.netnsPath);
      t.equal(first.code, 0, first.stdout);
      const again = await host.processContainer('web');
      await stop();
      const second = await lan.run('ADD', `again${round}`, named('web'), {}, again.place.netnsPath);
      t.equal(second.code, 0, second.stdout);
      const mac = (answer: CniAnswer) => answer.json?.interfaces?.[0]?.mac;
      t.equal(mac(second), mac(first), 'of the same MAC address');
      t.equal((await lan.run('DEL', `id${round}`, named('web'), {}, '')).code, 0);
      t.same(await faults(host), [], 'which does not go with the dead one');
      await again.stop();
      t.equal((await lan.run('DEL', `again${round}`, named('web'), {}, '')).code, 0);
    }
    t.equal(await onRecord(host), 0);
  });
});

t.test('the same name while the other one lives', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = await used(host);
    await lan.container('c1', named('web'));
    await host.container('c2');
    const { json } = await lan.run('ADD', 'c2', named('web'));
    t.match(json, { code: 101, msg: /MAC address/ });
    t.same(await faults(host), [], 'takes nothing from it');
    t.equal((await asked(host, 'leases')).view.leases.length, 1);
  });
});
