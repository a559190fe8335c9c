/** Two ADDs of one key at once: one attaches, and the other is told to come again, whatever the instant. */
import t from 'tap';
import type { Test } from 'tap';
import { answerOf, startPlugin } from '../kernel/harness-cni.ts';
import type { CniAnswer } from '../kernel/harness-cni.ts';
import type { Background } from '../kernel/harness-process.ts';
import { lacking, until, withHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { ownerComment } from '../../lib/nftables/owner.ts';
import {
  VICTIM,
  callFor,
  contents,
  dump,
  must,
  reaches,
  run,
  runInHaste,
  stepsOf,
  stopped,
} from './attack-bed.ts';
import { end, isStopped, resume } from './signals.ts';

const skip = lacking() ?? false;
const TIMEOUT_MS = 200_000;
t.setTimeout(2 * TIMEOUT_MS);
t.jobs = 3;

const ROUNDS = 12;
const runtimeConfig = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'udp' }],
  bandwidth: { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 8e6, egressBurst: 8e5 },
};
const CALL = callFor('c1', { runtimeConfig });
const CLEARED = 'attach: way cleared';
const RECORDED = 'attach: recorded';
/** Before and after these nobody has it in hand. */
const INNER = (step: string): boolean => step !== CLEARED && step !== RECORDED;
const FLAVOURS = {
  'addresses of the store': callFor('c1', { runtimeConfig }),
  'addresses of host-local': callFor('c1', {
    cniVersion: '1.0.0',
    runtimeConfig,
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] },
  }),
};

for (const [name, call] of Object.entries(FLAVOURS)) {
  const options = { skip, timeout: TIMEOUT_MS, buffered: true };
  t.test(`${name}: a second ADD while the first stands at any of its steps`, options, async (t) => {
    await withHost(t, async (host) => {
      await host.container('c1');
      const steps = await stepsOf(host, 'ADD', call);
      t.ok(steps.length >= 8, `ADD has steps: ${steps.join(', ')}`);
      await must(host, 'DEL', call);
      const before = await dump(host);
      for (const step of steps.filter(INNER)) {
        await stopped(host, 'ADD', call, step, async (first) => {
          const half = await dump(host);
          const held = await contents(host);
          const second = await runInHaste(host, 'ADD', call);
          t.match(second, { code: 1, json: { code: 11 } }, `the second while the first stands at "${step}"`);
          t.same(await dump(host), half, 'it has changed nothing');
          t.same(await contents(host), held, 'nor in the store');
          const { code, json } = await first.resume();
          t.equal(code, 0, 'the first succeeds');
          t.ok(await reaches(host, 'c1', json ?? {}), 'and works');
        });
        await must(host, 'DEL', call);
        t.same(await dump(host), before, 'the host is as it was');
      }
    });
  });
}

/** Both answers, of two that were started together and stop when the intent is on record: only one can get there. */
async function race(host: Host): Promise<{ winner: CniAnswer; loser: CniAnswer }> {
  const rivals = [0, 1].map(() =>
    startPlugin(host, [process.execPath, VICTIM, 'attach: intent recorded', 'stops'], 'ADD', CALL),
  );
  try {
    const ended = (rival: Background): boolean => rival.ended;
    await until(() => rivals.some(ended) && rivals.some(isStopped), 'one stands, one has ended', 20_000);
    const [winner, loser] = rivals.toSorted((a, b) => Number(a.ended) - Number(b.ended));
    if (winner === undefined || loser === undefined) throw new TypeError('there are two');
    await resume(winner);
    return { winner: await answerOf(winner), loser: await answerOf(loser) };
  } finally {
    await Promise.all(rivals.map(end));
  }
}

/** The store, the elements and the interfaces of one attachment, and no more. */
async function isAlone(t: Test, host: Host, addresses: readonly string[]): Promise<void> {
  const { attachments, problems } = await contents(host);
  t.same(problems, []);
  t.match(attachments, [{ containerId: 'c1', state: 'attached' }]);
  t.same(
    attachments.flatMap((each) => each.addresses.map(({ address }) => address)),
    addresses,
    'the store has the addresses of the answer',
  );
  const ruleset = JSON.stringify(await host.nft());
  t.ok(ruleset.includes(ownerComment({ network: 'harbour', containerId: 'c1', ifname: 'eth0' })));
  const veths = (await host.ip('link', 'show', 'type', 'veth')).filter(({ ifname }) => ifname !== 'uplink');
  t.equal(veths.length, 1, 'one veth');
  const inside = await host.at('/run/netns/c1').ip('-4', 'address', 'show', 'dev', 'eth0');
  const seen = inside.flatMap(({ addr_info = [] }) =>
    addr_info.map((each) => `${each.local}/${each.prefixlen}`),
  );
  t.same(seen, addresses.slice(0, 1), 'the container has its address');
}

t.test('pairs of ADDs started together', { skip, timeout: TIMEOUT_MS, buffered: true }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    for (let round = 0; round < ROUNDS; round++) {
      const { winner, loser } = await race(host);
      t.equal(winner.code, 0, 'one succeeds');
      t.match(loser, { code: 1, json: { code: 11 } }, 'one is told to come again');
      const addresses = (winner.json?.ips ?? []).map(({ address }) => address);
      await isAlone(t, host, addresses);
      t.ok(await reaches(host, 'c1', winner.json ?? {}), 'it works');
      await must(host, 'DEL', CALL);
    }
  });
});

t.test('pairs of ADDs that nothing holds up', { skip, timeout: TIMEOUT_MS, buffered: true }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await Promise.all([run(host, 'ADD', CALL), run(host, 'ADD', CALL)]);
      const successes = answers.filter(({ code }) => code === 0);
      const others = answers.filter(({ code }) => code !== 0);
      t.ok(successes.length > 0, 'one succeeds at least: the second may come when the first has done');
      for (const { json } of others) t.match(json, { code: 11 }, 'one is told to come again');
      refused += others.length;
      await isAlone(
        t,
        host,
        (successes[0]?.json?.ips ?? []).map(({ address }) => address),
      );
      t.ok(await reaches(host, 'c1', successes[0]?.json ?? {}), 'it works');
      await must(host, 'DEL', CALL);
    }
    t.comment(`${refused} of ${ROUNDS} pairs met`);
  });
});

t.test('an ADD of what has just been attached takes its place', { skip, timeout: TIMEOUT_MS }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    await stopped(host, 'ADD', CALL, RECORDED, async (first) => {
      const second = await must(host, 'ADD', CALL);
      const late = await first.resume();
      t.equal(late.code, 0);
      t.same(late.json?.ips, second.ips, 'both say the same addresses');
      await isAlone(
        t,
        host,
        (second.ips ?? []).map(({ address }) => address),
      );
      t.ok(await reaches(host, 'c1', second), 'it works');
    });
  });
});

t.test('an ADD that another has overtaken', { skip, timeout: TIMEOUT_MS }, async (t) => {
  await withHost(t, async (host) => {
    await host.container('c1');
    for (const [name, call] of Object.entries(FLAVOURS)) {
      await stopped(host, 'ADD', call, CLEARED, async (late) => {
        const first = await must(host, 'ADD', call);
        const whole = await dump(host);
        t.match(await late.resume(), { code: 1, json: { code: 11 } }, `${name}: it is told to come again`);
        t.same(await dump(host), whole, 'and has changed nothing');
        t.ok(await reaches(host, 'c1', first), 'the other works');
      });
      await must(host, 'DEL', call);
    }
  });
});
