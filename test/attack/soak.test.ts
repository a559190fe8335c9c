/**
 * The engine asked for long: by launchers, over its socket, by clients that hang, that send half of what they should or
 * more, that are killed half-way; with mistakes mixed in, and one-shot processes beside it. What it holds afterwards is
 * what it held after the first of them: descriptors, threads, namespaces, memory.
 *
 * ATTACK_SEED=… repeats the choices of a run, ATTACK_REQUESTS=… or `npm test -- --long` makes it longer.
 */
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import { askStatus, hostPid, startEngine } from '../kernel/engine-bed.ts';
import { lacking, withHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import type { Background } from '../kernel/harness-process.ts';
import { LAUNCHED, launcherIn } from '../kernel/launcher-bed.ts';
import { asked as view } from '../kernel/netmoor-command.ts';
import { grown, takeCensus } from './soak-census.ts';
import type { Census } from './soak-census.ts';

const skip = lacking() ?? false;
const isLong = process.env['ATTACK_LONG'] !== undefined;
const REQUESTS = Number(process.env['ATTACK_REQUESTS'] ?? (isLong ? 10_000 : 450));
const SEED = Number(process.env['ATTACK_SEED'] ?? randomInt(1_000_000));
const ROUNDS = isLong ? 10 : 3;
/** Rounds. */
const REST_EVERY = 3;
const TIMEOUT_MS = 300_000 + REQUESTS * 100;
t.setTimeout(TIMEOUT_MS);

const DRIVER = fileURLToPath(new URL('soak-driver.ts', import.meta.url));

interface Round {
  readonly milliseconds: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

/** So many requests; 0: the last, after which nothing is attached. */
async function drive(driver: Background, requests: number): Promise<Round> {
  const from = driver.output.length;
  driver.write(`${requests}\n`);
  if (!(await driver.line(from, 240_000))) throw new Error(`the clients: ${driver.output}${driver.errors}`);
  return JSON.parse(driver.output.slice(from)) as Round;
}

/** KiB for each of the last rounds: the slope of the straight line that fits best. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const over = values.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0);
  return over / values.reduce((sum, _, index) => sum + (index - middle) ** 2, 0);
}

/**
 * KiB that a round may add on average. What is resident while threads are busy goes up and down by some 25 MiB with
 * what is garbage at the moment, which makes slopes of up to 6 MiB of six values; the heap of the main loop by 1.5 MiB.
 */
const STEADY_KIB = { resident: 15_000, heap: 1_000 } as const;
/** KiB between two times of rest: the thread that stays may have been busy, and keeps its garbage for a while. */
const REST_KIB = 80_000;
const LAST_ROUNDS = 6;

function judge(t: Test, censuses: readonly Census[]): void {
  const [warm, ...later] = censuses;
  if (warm === undefined) throw new TypeError('nothing was counted');
  for (const census of later) {
    t.match(census, { namespaces: 1, mounts: warm.mounts }, 'every thread is at home');
    t.same(grown(warm, census), [], 'no descriptor more than after the first round');
    t.ok(census.threads - census.workers <= warm.threads - warm.workers, `${census.threads} threads`);
  }
  if (censuses.length <= LAST_ROUNDS) return;
  for (const what of ['resident', 'heap'] as const) {
    const values = censuses.slice(-LAST_ROUNDS).map((census) => census[what] / (what === 'heap' ? 1024 : 1));
    t.comment(`${what}: ${slope(values).toFixed(0)} KiB a round`);
    t.ok(slope(values) < STEADY_KIB[what], `${what} does not grow: ${values.map(Math.round).join(', ')} KiB`);
  }
}

/** Threads end when nobody has needed them for half a minute; one stays. */
async function atRest(host: Host, pid: number): Promise<Census> {
  return takeCensus(host, pid, 1);
}

/** At rest it holds what it held at rest. */
function judgeRest(t: Test, [first, ...later]: readonly Census[]): void {
  for (const census of later) {
    t.same(grown(first ?? census, census), [], 'no descriptor more');
    t.ok(census.threads <= (first?.threads ?? 0), `${census.threads} threads`);
  }
  const resident = later.map((census) => census.resident);
  for (const each of resident) t.ok(each - (first?.resident ?? 0) < REST_KIB, `${each} KiB at rest`);
  t.comment(`at rest: ${first?.resident}, then ${resident.join(', ')} KiB`);
}

/** What is to be left of it all: nothing. */
async function judgeHost(t: Test, host: Host, asked: number): Promise<void> {
  const { requests } = await askStatus(host);
  t.comment(JSON.stringify(requests));
  t.match(requests, { running: 0, waiting: 0, late: 0 });
  t.ok((requests?.served ?? 0) > asked * 0.8, `the engine has done ${requests?.served} of ${asked}`);
  t.same((await view(host, 'ls')).view, []);
  t.same((await view(host, 'leases')).view.leases, []);
  t.same((await host.ip('link', 'show')).map(({ ifname }) => ifname).sort(), ['lo', 'uplink']);
  t.same(await host.nft(), []);
  t.match((await view(host, 'gc')).view, { garbage: [], unrecorded: [], failures: [] });
  t.match(await view(host, 'check'), { view: { store: [] } });
  t.equal(await host.shell('ls /run/netmoor/requests'), '', 'no notes either');
}

t.test(`${REQUESTS} requests, ATTACK_SEED=${SEED}`, { skip, timeout: TIMEOUT_MS }, async (t) => {
  await withHost(t, async (host) => {
    await launcherIn(host);
    for (let index = 0; index < 6; index++) await host.container(`s${index}`);
    host.write(
      '/etc/cni/net.d/10-hooked.conflist',
      JSON.stringify({ cniVersion: '1.0.0', name: 'hooked', plugins: [{ type: 'bridge-nat' }] }),
    );
    const engine = await startEngine(host);
    const pid = await hostPid(host);
    const driver = host.start([process.execPath, DRIVER, `${SEED}`, LAUNCHED, OWN_PLUGINS]);
    const censuses: Census[] = [];
    const rested: Census[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { milliseconds, figures, violations } = await drive(driver, REQUESTS / ROUNDS);
      t.same(violations, [], 'everybody is told what is to be told');
      const census = await takeCensus(host, pid);
      censuses.push(census);
      if (isLong && round % REST_EVERY === 0) rested.push(await atRest(host, pid));
      t.comment(JSON.stringify({ milliseconds: Math.round(milliseconds), ...census, figures }));
    }
    const { violations } = await drive(driver, 0);
    t.same(violations, [], 'the last are taken down');
    await driver.stop();
    judge(t, censuses);
    judgeRest(t, rested);
    await judgeHost(t, host, REQUESTS);
    await engine.stop();
  });
});
