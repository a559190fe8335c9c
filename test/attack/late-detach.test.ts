/**
 * A detach that was stopped half-way and goes on later, or never: nobody else proceeds while it is there, and it takes
 * nothing away that was made after it.
 */
import t from 'tap';
import type { Test } from 'tap';
import { lacking, withHost } from '../kernel/harness.ts';
import type { CniCall, CniJson, Host, Snapshot } from '../kernel/harness.ts';
import {
  callFor,
  contents,
  dump,
  must,
  reaches,
  removeContainer,
  run,
  runInHaste,
  stepsOf,
  stopped,
  stoppedNetmoor,
} from './attack-bed.ts';

const skip = lacking() ?? false;
const TIMEOUT_MS = 200_000;
t.setTimeout(2 * TIMEOUT_MS);
t.jobs = 3;

const PORTS = { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'udp' }] } };
const CALL = callFor('c1', PORTS);
const FORGOTTEN = 'detach: forgotten';

interface Scene {
  readonly host: Host;
  readonly steps: readonly string[];
  readonly before: Snapshot;
}

/** A host after a first life of c1; with `beside` another container stays, so that what they share does as well. */
async function scene(t: Test, host: Host, beside: boolean): Promise<Scene> {
  await host.container('c1');
  await host.container('c2');
  if (beside) {
    await host.container('c0');
    await must(host, 'ADD', callFor('c0'));
  }
  await must(host, 'ADD', CALL);
  const steps = await stepsOf(host, 'DEL', CALL);
  t.ok(steps.length >= 5 && steps.includes(FORGOTTEN), `DEL has steps: ${steps.join(', ')}`);
  return { host, steps, before: await dump(host) };
}

/** Alive again, whole, and with an address of its own. */
async function lives(t: Test, host: Host, call: CniCall): Promise<void> {
  const result = await must(host, 'ADD', call);
  const other = await must(host, 'ADD', callFor('c2'));
  await isWhole(t, host, call, result);
  const held = (await contents(host)).attachments.flatMap(({ addresses }) =>
    addresses.map(({ address }) => address),
  );
  t.equal(new Set(held).size, held.length, 'no address is held twice');
  t.not(result.ips?.[0]?.address, other.ips?.[0]?.address);
  await must(host, 'DEL', callFor('c2'));
}

async function isWhole(t: Test, host: Host, call: CniCall, prevResult: CniJson): Promise<void> {
  const config = { ...(call.config as object), prevResult };
  t.match(await run(host, 'CHECK', { ...call, config }), { code: 0, stdout: '' }, 'it is as promised');
  t.ok(await reaches(host, call.containerId ?? '', prevResult), 'it reaches its gateway');
}

async function isClean(t: Test, { host, before }: Scene): Promise<void> {
  t.same(await dump(host), before, 'the host is as it was');
  t.same((await contents(host)).problems, []);
}

/** While somebody has it in hand all others are told to come again, and change nothing. */
async function refusesOthers(t: Test, host: Host, step: string): Promise<void> {
  const before = await dump(host);
  for (const command of ['DEL', 'ADD'] as const) {
    const answer = await runInHaste(host, command, CALL);
    t.match(answer, { code: 1, json: { code: 11 } }, `${command} while another stands at "${step}"`);
  }
  t.same(await dump(host), before, 'they have changed nothing');
}

for (const beside of [false, true]) {
  const where = beside ? 'beside another container' : 'of the last container';
  const options = () => ({ skip, timeout: TIMEOUT_MS, buffered: true });

  t.test(`DEL ${where}, overtaken at every step, then resumed`, options(), async (t) => {
    await withHost(t, async (host) => {
      const whole = await scene(t, host, beside);
      for (const step of whole.steps) {
        await must(host, 'ADD', CALL);
        await stopped(host, 'DEL', CALL, step, async (first) => {
          if (step !== FORGOTTEN) {
            await refusesOthers(t, host, step);
            t.match(await first.resume(), { code: 0, stdout: '' }, `the first went on from "${step}"`);
          } else {
            t.match(await run(host, 'DEL', CALL), { code: 0 }, 'nothing is left for the second');
            const result = await must(host, 'ADD', CALL);
            t.match(await first.resume(), { code: 0, stdout: '' }, 'the first ended after an ADD');
            await isWhole(t, host, CALL, result);
            await must(host, 'DEL', CALL);
          }
        });
        await isClean(t, whole);
      }
      await lives(t, host, CALL);
    });
  });

  t.test(`DEL ${where}, overtaken at every step, then killed`, options(), async (t) => {
    await withHost(t, async (host) => {
      const whole = await scene(t, host, beside);
      for (const step of whole.steps) {
        await must(host, 'ADD', CALL);
        await stopped(host, 'DEL', CALL, step, async (first) => {
          if (step !== FORGOTTEN) await refusesOthers(t, host, step);
          await first.kill();
        });
        t.match(await run(host, 'DEL', CALL), { code: 0, stdout: '' }, `the second after "${step}"`);
        await isClean(t, whole);
        await lives(t, host, CALL);
        await must(host, 'DEL', CALL);
        await isClean(t, whole);
      }
    });
  });

  t.test(`netmoor gc ${where}, overtaken by a new life at every step`, options(), async (t) => {
    await withHost(t, async (host) => {
      const whole = await scene(t, host, beside);
      for (const [index, step] of [...whole.steps, ...(beside ? [] : whole.steps)].entries()) {
        const killed = index >= whole.steps.length;
        await must(host, 'ADD', CALL);
        await removeContainer(host, 'c1');
        await stoppedNetmoor(host, ['gc', '--json'], step, async (gc) => {
          await host.container('c1');
          if (step !== FORGOTTEN) await refusesOthers(t, host, step);
          const early = step === FORGOTTEN ? await must(host, 'ADD', CALL) : undefined;
          if (killed) await gc.kill();
          else {
            const garbage = [{ kind: 'attachment', what: 'harbour/c1/eth0' }];
            t.match(await gc.resume(), { code: 0, json: { garbage } }, `it went on from "${step}"`);
          }
          await (early === undefined ? lives(t, host, CALL) : isWhole(t, host, CALL, early));
        });
        await must(host, 'DEL', CALL);
        await isClean(t, whole);
      }
    });
  });
}
