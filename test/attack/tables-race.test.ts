/**
 * The nftables tables are taken away, and built anew by one while others come and go: whoever stays has all that is
 * his, and whoever goes leaves nothing, of either plugin.
 */
import t from 'tap';
import type { Test } from 'tap';
import { withHost } from '../kernel/harness.ts';
import type { CniAnswer, CniCommand, CniJson, Host } from '../kernel/harness.ts';
import { Lan, lanWorld } from '../kernel/lan.ts';
import { POOL, skip } from '../kernel/macvlan-bed.ts';
import { bundled } from '../crash/bundled.ts';
import { HARBOUR, VICTIM, callFor, contents, must, run, stopped } from './attack-bed.ts';
import type { Stopped } from './attack-bed.ts';
import { commentsOf } from './storm-verdict.ts';

t.setTimeout(120_000);
t.jobs = 2;

const NODE = process.execPath;
const LOOKED_UP = 'attach: others looked up';
const RECORDED = 'attach: recorded';
const TRY_AGAIN = { code: 1, json: { code: 11 } };

interface Plugin {
  readonly name: string;
  readonly program: string;
  readonly config: object;
}

const PLUGINS: readonly Plugin[] = [
  { name: 'bridge-nat', program: VICTIM, config: {} },
  {
    name: 'macvlan-v6',
    program: bundled('macvlan-v6-victim'),
    config: { type: 'macvlan-v6', master: lanWorld.master, ...POOL },
  },
];

/** Calls of one plugin in one host. */
class Bench {
  readonly host: Host;
  readonly #plugin: Plugin;

  constructor(host: Host, plugin: Plugin) {
    this.host = host;
    this.#plugin = plugin;
  }

  async run(command: CniCommand, container: string, more: object = {}, fate = ''): Promise<CniAnswer> {
    const { program, config } = this.#plugin;
    return this.host.cni([NODE, program, '', fate], command, callFor(container, { ...config, ...more }));
  }

  async must(command: CniCommand, container: string, more: object = {}): Promise<CniJson> {
    const answer = await this.run(command, container, more);
    if (answer.code !== 0) throw new Error(`${command} ${container}: ${answer.stdout}${answer.stderr}`);
    return answer.json ?? {};
  }

  /** An ADD that stands at a step, and goes on, or fails, from there. */
  async standing<T>(
    container: string,
    step: string,
    work: (first: Stopped) => Promise<T>,
    fate: 'stops' | 'stumbles' = 'stops',
  ): Promise<T> {
    const { program, config } = this.#plugin;
    return stopped(this.host, 'ADD', callFor(container, config), step, work, program, fate);
  }

  async isWhole(t: Test, container: string, prevResult: CniJson, when: string): Promise<void> {
    t.match(await this.run('CHECK', container, { prevResult }), { code: 0, stdout: '' }, when);
  }

  async lose(): Promise<void> {
    await this.host.must(['nft', 'flush', 'ruleset']);
  }

  async owners(): Promise<string[]> {
    return [...(await commentsOf(this.host))].filter((comment) => comment.startsWith(`${HARBOUR.name}/`));
  }
}

for (const plugin of PLUGINS) {
  const test = (what: string, body: (t: Test, bench: Bench) => Promise<void>): void => {
    t.test(`${plugin.name}: ${what}`, { skip, buffered: true }, async (t) => {
      await withHost(t, async (host) => {
        await Lan.open(host);
        for (const name of ['c1', 'c2', 'c3']) await host.container(name);
        await body(t, new Bench(host, plugin));
      });
    });
  };

  test('nobody comes or goes while one builds the tables', async (t, bench) => {
    const first = await bench.must('ADD', 'c1');
    await bench.lose();
    const second = await bench.standing('c2', LOOKED_UP, async (builder) => {
      t.match(await bench.run('DEL', 'c1', {}, 'hastens'), TRY_AGAIN, 'who would go waits');
      t.match(await bench.run('ADD', 'c3', {}, 'hastens'), TRY_AGAIN, 'so does who would come');
      const { code, json } = await builder.resume();
      t.equal(code, 0);
      return json ?? {};
    });
    await bench.isWhole(t, 'c1', first, 'built for c1');
    await bench.isWhole(t, 'c2', second, 'by c2');
    await bench.must('DEL', 'c1');
    t.same(await bench.owners(), ['harbour/c2/eth0'], 'who goes now takes what is his');
  });

  test('who dies over building them has lost nobody', async (t, bench) => {
    const first = await bench.must('ADD', 'c1');
    await bench.lose();
    await bench.standing('c2', LOOKED_UP, (builder) => builder.kill());
    await bench.must('ADD', 'c3');
    await bench.isWhole(t, 'c1', first, 'the next one builds them');
  });

  test('detached before its ADD has assured itself of its rules', async (t, bench) => {
    await bench.must('ADD', 'c1');
    await bench.standing('c2', RECORDED, async (late) => {
      await bench.must('DEL', 'c2');
      await bench.lose();
      t.equal((await late.resume()).code, 0);
    });
    t.same(await bench.owners(), [], 'it does not come back');
    t.match(await contents(bench.host), { attachments: [{ containerId: 'c1' }], problems: [] });
  });

  test('an ADD that fails takes nothing from the life that has begun since', async (t, bench) => {
    await bench.standing(
      'c1',
      RECORDED,
      async (late) => {
        const next = await bench.must('ADD', 'c1');
        t.not((await late.resume()).code, 0);
        await bench.isWhole(t, 'c1', next, 'the later one');
      },
      'stumbles',
    );
    await bench.must('DEL', 'c1');
    t.same(await bench.owners(), []);
  });
}

const PORT = { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } };
const BESIDE = {
  ...callFor('c1', { name: 'beside', ipam: { subnet: '10.78.0.0/24' }, ...PORT }),
  ifname: 'eth1',
};
const FAR = callFor('c2', { name: 'far', ipam: { subnet: '10.88.0.0/24', dataDir: '/opt/leases' } });

async function bothAreWhole(t: Test, host: Host, heir: CniJson, far: CniJson): Promise<void> {
  for (const [call, prevResult] of [[BESIDE, heir] as const, [FAR, far] as const]) {
    const config = { ...(call.config as object), prevResult };
    t.match(await run(host, 'CHECK', { ...call, config }), { code: 0, stdout: '' }, `CHECK ${call.ifname}`);
  }
  const published = await host.must(['nft', 'list', 'map', 'inet', 'netmoor', 'publish4']);
  t.ok(published.includes('beside/c1/eth1'), 'the port is its own');
}

/** A container with a port on two networks, beside one of another store. */
function inheriting(what: string, body: (host: Host) => Promise<CniJson>): void {
  t.test(`tables built where a port is taken over, ${what}`, { skip, buffered: true }, async (t) => {
    await withHost(t, async (host) => {
      for (const name of ['c1', 'c2']) await host.container(name);
      const far = await must(host, 'ADD', FAR);
      await must(host, 'ADD', callFor('c1', PORT));
      await bothAreWhole(t, host, await body(host), far);
    });
  });
}

inheriting('by who has stood by', async (host) => {
  const heir = await must(host, 'ADD', BESIDE);
  await host.must(['nft', 'flush', 'ruleset']);
  await must(host, 'DEL', callFor('c1', PORT));
  return heir;
});

inheriting('by an ADD that ends', async (host) =>
  stopped(host, 'ADD', BESIDE, 'attach: container configured', async (late) => {
    await must(host, 'DEL', callFor('c1', PORT));
    await host.must(['nft', 'flush', 'ruleset']);
    return (await late.resume()).json ?? {};
  }),
);
