/**
 * bridge-nat killed at every named step of ADD and of DEL. Whatever the step, DEL alone, and GC alone, must leave the
 * host as it was, and the next ADD must work.
 */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { bundled } from './bundled.ts';
import { lacking, without, withHost } from '../kernel/harness.ts';
import type { CniCall, CniCommand, Host, Snapshot } from '../kernel/harness.ts';

const skip = lacking() ?? false;
t.setTimeout(6 * 300_000);
/** Some fifty processes one after the other, on two cores shared with other tests. */
const TIMEOUT_MS = 300_000;
const NODE = process.execPath;
const VICTIM = bundled('bridge-nat-victim');
const CONTENTS = bundled('store-contents');
const STORE = '/var/lib/cni/netmoor';

// Most of the time the kernel waits for its grace periods: several hosts can wait side by side.
t.jobs = 4;
t.teardown(() => rmSync(dirname(VICTIM), { recursive: true, force: true }));

interface Flavour {
  readonly name: string;
  /** Another container stays attached, so that bridge and tables have to stay. */
  readonly beside?: boolean;
  readonly config: object;
  /** Steps that only this flavour would miss if they vanished. */
  readonly atLeast: { readonly add: number; readonly del: number };
}

const runtimeConfig = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'udp' }],
  bandwidth: { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 8e6, egressBurst: 8e5 },
};

const OWN_STORE = {
  cniVersion: '1.1.0',
  name: 'harbour',
  type: 'bridge-nat',
  ipam: { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] },
  runtimeConfig,
};

const FLAVOURS: readonly Flavour[] = [
  {
    name: 'own store',
    config: OWN_STORE,
    atLeast: { add: 8, del: 5 },
  },
  {
    name: 'own store, beside another container',
    beside: true,
    config: OWN_STORE,
    atLeast: { add: 8, del: 5 },
  },
  {
    name: 'delegated to host-local',
    config: {
      cniVersion: '1.0.0',
      name: 'harbour',
      type: 'bridge-nat',
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] },
      runtimeConfig,
    },
    atLeast: { add: 8, del: 5 },
  },
];

function call(config: object, netns?: string): CniCall {
  return {
    config,
    containerId: 'c1',
    ifname: 'eth0',
    path: REFERENCE_PLUGINS,
    ...(netns === undefined ? {} : { netns }),
  };
}

async function victim(host: Host, command: CniCommand, what: CniCall, ...fate: readonly string[]) {
  return host.cni([NODE, VICTIM, ...fate], command, what);
}

async function stepsOf(host: Host, command: CniCommand, what: CniCall): Promise<string[]> {
  const { stderr } = await host.cniMust([NODE, VICTIM], command, what);
  return [...stderr.matchAll(/^step (.*)$/gm)].map((match) => match[1] ?? '');
}

async function contents(
  host: Host,
): Promise<{ attachments: unknown[]; networks: unknown[]; problems: string[] }> {
  return JSON.parse(await host.must([NODE, CONTENTS, STORE]));
}

/** Everything but the store's own files, whose content is compared by itself, and host-local's cursor. */
async function dump(host: Host): Promise<Snapshot> {
  const shot = await host.snapshot({
    ignoreFiles:
      /\/var\/lib\/cni\/(netmoor|networks)(\/(leases\.db.*|harbour|harbour\/(lock|last_reserved_ip.*)))?( |$)/,
  });
  return without(shot, 'processes');
}

interface Baseline {
  readonly add: string[];
  readonly del: string[];
  readonly netns: string;
  readonly before: Snapshot;
  readonly held: Awaited<ReturnType<typeof contents>>;
}

/** The host after the first attachment has come and gone: forwarding is on from then on, by design. */
async function primed(t: Test, host: Host, { config, beside = false, atLeast }: Flavour): Promise<Baseline> {
  if (beside) {
    const { netnsPath } = await host.container('c0');
    const alone = { ...config, runtimeConfig: {} };
    await host.cniMust([NODE, VICTIM], 'ADD', { ...call(alone, netnsPath), containerId: 'c0' });
  }
  const { netnsPath: netns } = await host.container('c1');
  const add = await stepsOf(host, 'ADD', call(config, netns));
  const del = await stepsOf(host, 'DEL', call(config, netns));
  t.ok(add.length >= atLeast.add, `ADD has steps: ${add.join(', ')}`);
  t.ok(del.length >= atLeast.del, `DEL has steps: ${del.join(', ')}`);
  const held = await contents(host);
  t.equal(held.attachments.length, beside ? 1 : 0);
  t.same(held.problems, []);
  return { add, del, netns, before: await dump(host), held };
}

async function clean(t: Test, host: Host, { before, held }: Baseline): Promise<void> {
  t.same(await dump(host), before, 'the host is as it was');
  t.same(await contents(host), held, 'and so is the store');
}

type Cleanup = (host: Host, config: object) => Promise<void>;

const CLEANUPS: Readonly<Record<string, Cleanup>> = {
  'DEL without a namespace': async (host, config) =>
    void (await host.cniMust([NODE, VICTIM], 'DEL', call(config))),
  GC: async (host, config) => {
    const gc = {
      ...config,
      cniVersion: '1.1.0',
      'cni.dev/valid-attachments': [{ containerID: 'c0', ifname: 'eth0' }],
    };
    await host.cniMust([NODE, VICTIM], 'GC', { config: gc, path: REFERENCE_PLUGINS });
  },
};

async function die(t: Test, host: Host, command: CniCommand, what: CniCall, step: string): Promise<void> {
  const outcome = await victim(host, command, what, step);
  t.not(outcome.code, 0, `${command} died at "${step}"`);
  t.equal(outcome.stdout, '', 'before it could answer');
}

for (const flavour of FLAVOURS) {
  // host-local's GC (1.1.0) is not in Debian's version: what only the delegate knows is released from our record all
  // the same.
  for (const [name, cleanup] of Object.entries(CLEANUPS)) {
    t.test(
      `${flavour.name}: killed, then ${name}`,
      { skip, timeout: TIMEOUT_MS, buffered: true },
      async (t) => {
        await withHost(t, async (host) => {
          const { config } = flavour;
          const baseline = await primed(t, host, flavour);
          const { add, del, netns } = baseline;
          for (const step of add) {
            await die(t, host, 'ADD', call(config, netns), step);
            await cleanup(host, config);
            await clean(t, host, baseline);
          }
          for (const step of del) {
            await host.cniMust([NODE, VICTIM], 'ADD', call(config, netns));
            await die(t, host, 'DEL', call(config, netns), step);
            await cleanup(host, config);
            await clean(t, host, baseline);
          }
        });
      },
    );
  }

  t.test(
    `${flavour.name}: killed, and ADD again without any cleaning, in the old namespace and in a new one`,
    { skip, timeout: TIMEOUT_MS, buffered: true },
    async (t) => {
      await withHost(t, async (host) => {
        const { config } = flavour;
        const baseline = await primed(t, host, flavour);
        const { add, netns } = baseline;
        for (const step of add) {
          await die(t, host, 'ADD', call(config, netns), step);
          const again = await host.cniMust([NODE, VICTIM], 'ADD', call(config, netns));
          t.equal(again.json?.ips?.length, 2, `after "${step}" the very same container has its addresses`);
          await host.cniMust([NODE, VICTIM], 'DEL', call(config, netns));
          await clean(t, host, baseline);
          await die(t, host, 'ADD', call(config, netns), step);
          // A runtime starts the container anew: what the dead ADD put into the old namespace ends with it.
          await host.removeContainer('c1');
          await host.container('c1');
          const { json } = await host.cniMust([NODE, VICTIM], 'ADD', call(config, netns));
          t.equal(json?.ips?.length, 2, `after "${step}" the container has its addresses`);
          await host.cniMust([NODE, VICTIM], 'DEL', call(config, netns));
          await clean(t, host, baseline);
        }
      });
    },
  );

  t.test(
    `${flavour.name}: failing at every step takes itself back`,
    { skip, timeout: TIMEOUT_MS, buffered: true },
    async (t) => {
      await withHost(t, async (host) => {
        const { config } = flavour;
        const baseline = await primed(t, host, flavour);
        const { add, del, netns } = baseline;
        for (const step of add) {
          const { json } = await victim(host, 'ADD', call(config, netns), step, 'throws');
          t.match(json, { code: 999, msg: `failed at "${step}"` }, `ADD fails at "${step}"`);
          await clean(t, host, baseline);
        }
        for (const step of del) {
          await host.cniMust([NODE, VICTIM], 'ADD', call(config, netns));
          const { code } = await victim(host, 'DEL', call(config, netns), step, 'throws');
          t.not(code, 0, `DEL fails at "${step}"`);
          await host.cniMust([NODE, VICTIM], 'DEL', call(config));
          await clean(t, host, baseline);
        }
      });
    },
  );
}
