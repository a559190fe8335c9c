/**
 * A main plugin killed at every named step of ADD and of DEL, and failing there. Whatever the step, DEL alone, and GC
 * alone, must leave the host as it was, and the next ADD must work.
 */
import t from 'tap';
import type { Test } from 'tap';
import { REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { lacking, without, withHost } from '../kernel/harness.ts';
import type { CniCall, CniCommand, Host, Snapshot } from '../kernel/harness.ts';
import { bundled } from './bundled.ts';

/** Some fifty processes one after the other, on two cores shared with other tests. */
const TIMEOUT_MS = 300_000;
const NODE = process.execPath;
const STORE = '/var/lib/cni/netmoor';

export interface Flavour {
  readonly name: string;
  /** Another container stays attached, so that what they share has to stay. */
  readonly beside?: boolean;
  readonly config: object;
  /** Of the runtime, for the container that is struck, not for the one beside it. */
  readonly runtimeConfig?: object;
  /** How many addresses the result has. */
  readonly addresses: number;
  /** Steps that only this flavour would miss if they vanished. */
  readonly atLeast: { readonly add: number; readonly del: number };
  /** What the host needs before anything can be attached. */
  readonly prepare?: (host: Host) => Promise<void>;
  /** Of tcpdump, radvd and the like. */
  readonly needs?: readonly string[];
}

interface Contents {
  readonly attachments: unknown[];
  readonly networks: unknown[];
  readonly problems: string[];
}

interface Baseline {
  readonly add: string[];
  readonly del: string[];
  readonly netns: string;
  readonly before: Snapshot;
  readonly held: Contents;
}

/** Everything but the store's own files, whose content is compared by itself, and host-local's cursor. */
async function dump(host: Host): Promise<Snapshot> {
  const shot = await host.snapshot({
    ignoreFiles:
      /\/var\/lib\/cni\/(netmoor|networks)(\/(leases\.db.*|harbour|harbour\/(lock|last_reserved_ip.*)))?( |$)/,
  });
  return without(shot, 'processes');
}

/** One flavour of attachment on one host, and the programs that are struck. */
class Bed {
  readonly t: Test;
  readonly host: Host;
  readonly flavour: Flavour;
  readonly #programs: Programs;

  constructor(t: Test, host: Host, flavour: Flavour, programs: Programs) {
    this.t = t;
    this.host = host;
    this.flavour = flavour;
    this.#programs = programs;
  }

  call(netns?: string): CniCall {
    const { config, runtimeConfig } = this.flavour;
    return {
      config: { ...config, ...(runtimeConfig ? { runtimeConfig } : {}) },
      containerId: 'c1',
      ifname: 'eth0',
      path: REFERENCE_PLUGINS,
      ...(netns === undefined ? {} : { netns }),
    };
  }

  async victim(command: CniCommand, what: CniCall, ...fate: readonly string[]) {
    return this.host.cni([NODE, this.#programs.victim, ...fate], command, what);
  }

  async must(command: CniCommand, what: CniCall) {
    return this.host.cniMust([NODE, this.#programs.victim], command, what);
  }

  async #stepsOf(command: CniCommand, what: CniCall): Promise<string[]> {
    const { stderr } = await this.must(command, what);
    return [...stderr.matchAll(/^step (.*)$/gm)].map((match) => match[1] ?? '');
  }

  async contents(): Promise<Contents> {
    return JSON.parse(await this.host.must([NODE, this.#programs.contents, STORE]));
  }

  /** The host after the first attachment has come and gone: forwarding is on from then on, by design. */
  async primed(): Promise<Baseline> {
    const { t, host } = this;
    const { beside = false, config, atLeast, prepare } = this.flavour;
    await prepare?.(host);
    if (beside) {
      const { netnsPath } = await host.container('c0');
      await this.must('ADD', { ...this.call(netnsPath), config, containerId: 'c0' });
    }
    const { netnsPath: netns } = await host.container('c1');
    const add = await this.#stepsOf('ADD', this.call(netns));
    const del = await this.#stepsOf('DEL', this.call(netns));
    t.ok(add.length >= atLeast.add, `ADD has steps: ${add.join(', ')}`);
    t.ok(del.length >= atLeast.del, `DEL has steps: ${del.join(', ')}`);
    const held = await this.contents();
    t.equal(held.attachments.length, beside ? 1 : 0);
    t.same(held.problems, []);
    return { add, del, netns, before: await dump(host), held };
  }

  async clean({ before, held }: Baseline, after: string): Promise<void> {
    this.t.same(await dump(this.host), before, `the host is as it was: ${after}`);
    this.t.same(await this.contents(), held, `and so is the store: ${after}`);
  }

  async die(command: CniCommand, what: CniCall, step: string): Promise<void> {
    const outcome = await this.victim(command, what, step);
    this.t.not(outcome.code, 0, `${command} died at "${step}"`);
    this.t.equal(outcome.stdout, '', 'before it could answer');
  }

  /** ADD, which has to work whatever there was before, and DEL. */
  async lives(netns: string, baseline: Baseline, after: string): Promise<void> {
    const { json } = await this.must('ADD', this.call(netns));
    this.t.equal(json?.ips?.length, this.flavour.addresses, `${after}, the container has its addresses`);
    await this.must('DEL', this.call(netns));
    await this.clean(baseline, after);
  }
}

type Cleanup = (bed: Bed) => Promise<void>;

const CLEANUPS: Readonly<Record<string, Cleanup>> = {
  'DEL without a namespace': async (bed) => void (await bed.must('DEL', bed.call())),
  GC: async (bed) => {
    const gc = {
      ...bed.flavour.config,
      cniVersion: '1.1.0',
      'cni.dev/valid-attachments': [{ containerID: 'c0', ifname: 'eth0' }],
    };
    await bed.must('GC', { config: gc, path: REFERENCE_PLUGINS });
  },
};

async function killedThen(bed: Bed, cleanup: Cleanup): Promise<void> {
  const baseline = await bed.primed();
  const { add, del, netns } = baseline;
  for (const step of add) {
    await bed.die('ADD', bed.call(netns), step);
    await cleanup(bed);
    await bed.clean(baseline, step);
  }
  for (const step of del) {
    await bed.must('ADD', bed.call(netns));
    await bed.die('DEL', bed.call(netns), step);
    await cleanup(bed);
    await bed.clean(baseline, step);
  }
}

async function killedThenAdd(bed: Bed): Promise<void> {
  const baseline = await bed.primed();
  const { add, netns } = baseline;
  for (const step of add) {
    await bed.die('ADD', bed.call(netns), step);
    await bed.lives(netns, baseline, `after "${step}", in the same namespace`);
    await bed.die('ADD', bed.call(netns), step);
    // A runtime starts the container anew: what the dead ADD put into the old namespace ends with it.
    await bed.host.removeContainer('c1');
    await bed.host.container('c1');
    await bed.lives(netns, baseline, `after "${step}", in another namespace`);
  }
}

async function failing(bed: Bed): Promise<void> {
  const { t } = bed;
  const baseline = await bed.primed();
  const { add, del, netns } = baseline;
  for (const step of add) {
    const { json } = await bed.victim('ADD', bed.call(netns), step, 'throws');
    t.match(json, { code: 999, msg: `failed at "${step}"` }, `ADD fails at "${step}"`);
    await bed.clean(baseline, step);
  }
  for (const step of del) {
    await bed.must('ADD', bed.call(netns));
    const { code } = await bed.victim('DEL', bed.call(netns), step, 'throws');
    t.not(code, 0, `DEL fails at "${step}"`);
    await bed.must('DEL', bed.call());
    await bed.clean(baseline, step);
  }
}

interface Programs {
  readonly victim: string;
  readonly contents: string;
}

/** Tests of a plugin whose victim is `NAME-victim.ts`. */
export function strike(plugin: string, flavours: readonly Flavour[]): void {
  t.setTimeout(6 * TIMEOUT_MS);
  // Most of the time the kernel waits for its grace periods: several hosts can wait side by side.
  t.jobs = 4;
  const programs = { victim: bundled(`${plugin}-victim`), contents: bundled('store-contents') };
  for (const flavour of flavours) {
    const skip = lacking(...(flavour.needs ?? [])) ?? false;
    const test = (what: string, body: (bed: Bed) => Promise<void>): void => {
      const options = { skip, timeout: TIMEOUT_MS, buffered: true };
      t.test(`${flavour.name}: ${what}`, options, async (t) => {
        await withHost(t, async (host) => body(new Bed(t, host, flavour, programs)));
      });
    };
    // host-local's GC (1.1.0) is not in Debian's version: what only the delegate knows is released from our record all
    // the same.
    for (const [name, cleanup] of Object.entries(CLEANUPS))
      test(`killed, then ${name}`, (bed) => killedThen(bed, cleanup));
    test('killed, and ADD again without any cleaning, in the old namespace and in a new one', killedThenAdd);
    test('failing at every step takes itself back', failing);
  }
}
