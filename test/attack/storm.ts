/**
 * Many workers at once on a few containers and networks, some of whose processes are killed, or stopped for a while,
 * on a host whose rules and links others take away.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { answerOf, startPlugin } from '../kernel/harness-cni.ts';
import type { CniAnswer, CniCall, CniCommand } from '../kernel/harness-cni.ts';
import type { Background } from '../kernel/harness-process.ts';
import type { Host } from '../kernel/harness.ts';
import { NETMOOR } from '../kernel/netmoor-command.ts';
import { randomFrom } from '../unit/ipam-ledger.ts';
import { end, kill, resume, stop } from './signals.ts';
import { ABSENT, CUT, Model, UNKNOWN, nameOf } from './storm-model.ts';
import type { Fact, Key } from './storm-model.ts';
import { CONTAINERS, NETWORKS, callOf, isOnLan, keyOf, keysIn, pluginOf } from './storm-networks.ts';
import { Vandal } from './storm-vandal.ts';

const WORKERS = 50;
/** Of operations. */
const KILLED = 0.12;
const STOPPED = 0.12;
const KILLED_WITHIN_MS = 250;
const STOPPED_FOR_MS = 400;
/** Far more than the patience of one (30 s) with 50 others on two cores. */
const STUCK_MS = 150_000;
const BETWEEN_ROUNDS_MS = 200;

type Random = () => number;
type Doing = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'renew' | 'cut' | 'disturb';

/** In thirtieths. */
const SHARES: Readonly<Record<Doing, number>> = {
  ADD: 12,
  DEL: 5,
  CHECK: 5,
  GC: 3,
  renew: 2,
  cut: 2,
  disturb: 1,
};
const DEEDS = (Object.keys(SHARES) as Doing[]).flatMap((deed) => Array<Doing>(SHARES[deed]).fill(deed));

export class Storm {
  readonly model = new Model();
  /** What must not be, in words. */
  readonly violations: string[] = [];
  /** "ADD 0": how often. */
  readonly figures = new Map<string, number>();
  readonly #host: Host;
  readonly #seed: number;
  readonly #lives = new Map<string, number>();
  readonly #vandal: Vandal;
  readonly #cuts = new Set<string>();
  #left: number;

  constructor(host: Host, seed: number, operations: number) {
    this.#host = host;
    this.#vandal = new Vandal(host);
    this.#seed = seed;
    this.#left = operations;
  }

  /** The name of the namespace that the container has now. */
  netnsOf(container: string): string {
    return `${container}-${this.#lives.get(container) ?? 0}`;
  }

  async run(): Promise<void> {
    for (const container of CONTAINERS) await this.#host.container(this.netnsOf(container));
    const workers = Array.from({ length: WORKERS }, (_, index) => this.#worker(index));
    const over = { yet: false };
    const beside = ['gc', 'check'].map((verb, index) => this.#again(verb, index, over));
    await Promise.all(workers);
    over.yet = true;
    await Promise.all(beside);
  }

  #count(what: string): void {
    this.figures.set(what, (this.figures.get(what) ?? 0) + 1);
  }

  async #worker(index: number): Promise<void> {
    const random = randomFrom(this.#seed * 1000 + index);
    const container = CONTAINERS[index % CONTAINERS.length] ?? '';
    while (this.#left-- > 0) {
      const network = Math.floor(random() * NETWORKS.length);
      const deed = DEEDS[Math.floor(random() * DEEDS.length)] ?? 'ADD';
      if (deed === 'ADD') await this.#add(container, network, random);
      else if (deed === 'CHECK') await this.#check(container, network, random);
      else if (deed === 'renew') await this.#renew(container);
      else if (deed === 'cut') await this.#cut(container, network, random);
      else if (deed === 'disturb') this.#count(await this.#vandal.disturb(random));
      else await this.#remove(deed, container, network, random);
    }
  }

  /** Lets a process meet its fate, and waits for its end. Undefined: it was killed. */
  async #befall(process: Background, random: Random): Promise<'killed' | undefined> {
    const stuck = setTimeout(() => {
      this.violations.push(`stuck: ${process.output}${process.errors}`);
      void end(process);
    }, STUCK_MS);
    try {
      const fate = random();
      if (fate > KILLED + STOPPED) return void (await process.end());
      await Promise.race([pause(random() * KILLED_WITHIN_MS), process.end()]);
      if (fate < KILLED) {
        const killed = kill(process);
        await process.end();
        return killed ? 'killed' : undefined;
      }
      if (await stop(process)) {
        this.#count('stopped');
        await pause(random() * STOPPED_FOR_MS);
        await resume(process);
      }
      return void (await process.end());
    } finally {
      clearTimeout(stuck);
    }
  }

  async #call(
    command: CniCommand,
    network: number,
    call: CniCall,
    random: Random,
  ): Promise<CniAnswer | undefined> {
    const process = startPlugin(this.#host, [pluginOf(network)], command, call);
    const killed = await this.#befall(process, random);
    if (killed !== undefined) {
      this.#count(`${command} killed`);
      return undefined;
    }
    const answer = await answerOf(process);
    this.#count(`${command} ${answer.code === 0 ? 'done' : `code ${answer.json?.code ?? 'none'}`}`);
    return answer;
  }

  /** Nothing is refused but for somebody else at work, and for a namespace that is gone. */
  #expect(command: CniCommand, { code, json, stdout, stderr }: CniAnswer, ...codes: number[]): void {
    if (code === 0 || codes.includes(json?.code ?? 0)) return;
    this.violations.push(`${command}: exit ${code} ${stdout}${stderr}`);
  }

  /** The next ADD in a network repairs its rules for everybody: one in each, that nothing befalls. */
  async mend(): Promise<void> {
    const [container = ''] = CONTAINERS;
    for (const network of NETWORKS.keys()) await this.#add(container, network, () => 1);
  }

  async #add(container: string, network: number, random: Random): Promise<void> {
    const turn = this.model.begin(keyOf(container, network));
    const since = this.#vandal.moment();
    const netns = `/run/netns/${this.netnsOf(container)}`;
    const answer = await this.#call('ADD', network, callOf(container, network, netns), random);
    // Not alone: its namespace may have ended, or its link been deleted, while it was at work.
    if (answer !== undefined) this.#expect('ADD', answer, 11, ...(turn.alone ? [] : [4, 105]));
    if (answer?.code === 0) this.#vandal.mended(network, since);
    const failed: Fact = answer !== undefined && turn.before.is === 'absent' ? ABSENT : UNKNOWN;
    const ips = (answer?.json?.ips ?? []).map(({ address }) => address);
    this.model.end(turn, answer?.code === 0 ? { is: 'attached', result: answer.json ?? {}, ips } : failed);
  }

  async #remove(deed: 'DEL' | 'GC', container: string, network: number, random: Random): Promise<void> {
    const key = keyOf(container, network);
    const turn = this.model.begin(key);
    const valid = keysIn(network)
      .filter(({ containerId }) => containerId !== container)
      .map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
    const { config, path = '' } = callOf(container, network, '', { 'cni.dev/valid-attachments': valid });
    const call = deed === 'GC' ? { config, path } : callOf(container, network, '');
    const answer = await this.#call(deed, network, call, random);
    if (answer !== undefined) this.#expect(deed, answer, 11);
    // GC leaves what somebody is at work on.
    this.model.end(turn, answer?.code === 0 && turn.alone ? ABSENT : UNKNOWN);
  }

  async #check(container: string, network: number, random: Random): Promise<void> {
    const key = keyOf(container, network);
    const fact = this.model.fact(key);
    if (fact.is !== 'attached') return;
    const turn = this.model.begin(key);
    const netns = `/run/netns/${this.netnsOf(container)}`;
    const call = callOf(container, network, netns, { prevResult: fact.result });
    const before = this.#vandal.isIntact(network);
    const answer = await this.#call('CHECK', network, call, random);
    // What misses its rules is to say so, and nothing else.
    const codes = before && this.#vandal.isIntact(network) ? [11] : [11, 104];
    if (answer !== undefined && turn.alone) this.#expect('CHECK', answer, ...codes);
    this.model.leave(turn);
  }

  /** One end of its link is deleted, the host's or its own. */
  async #cut(container: string, network: number, random: Random): Promise<void> {
    const key = keyOf(container, network);
    const fact = this.model.fact(key);
    if (fact.is !== 'attached') return;
    const turn = this.model.begin(key);
    const { interfaces = [] } = fact.result;
    const isInside = isOnLan(network) || random() < 0.5;
    const cut = isInside
      ? await this.#vandal.cut(key.ifname, this.netnsOf(container))
      : await this.#vandal.cut(interfaces[1]?.name ?? '');
    this.#count(`link ${cut ? 'cut' : 'gone before'}`);
    if (!cut) return this.model.leave(turn);
    this.#cuts.add(nameOf(key));
    this.model.end(turn, CUT);
  }

  /** Whether that may be without its interface: of what is unknown, what has been cut at some time. */
  isCut(key: Key): boolean {
    const { is } = this.model.fact(key);
    return is === 'cut' || (is === 'unknown' && this.#cuts.has(nameOf(key)));
  }

  /** What has been cut is detached, that nothing befalls. */
  async bury(): Promise<void> {
    for (const network of NETWORKS.keys()) {
      const cut = CONTAINERS.filter((container) => this.isCut(keyOf(container, network)));
      for (const container of cut) await this.#remove('DEL', container, network, () => 1);
    }
  }

  /** The container ends, and one of the same id begins. */
  async #renew(container: string): Promise<void> {
    const turns = NETWORKS.map((_, index) => this.model.begin(keyOf(container, index)));
    const before = this.netnsOf(container);
    this.#lives.set(container, (this.#lives.get(container) ?? 0) + 1);
    await this.#host.container(this.netnsOf(container));
    await this.#host.removeContainer(before);
    this.#count('container renewed');
    for (const turn of turns) this.model.end(turn, ABSENT);
  }

  /** A verb of netmoor for as long as the storm lasts. It may say no, never that it could not look. */
  async #again(verb: string, index: number, over: { readonly yet: boolean }): Promise<void> {
    const random = randomFrom(this.#seed * 1000 + WORKERS + index);
    while (!over.yet) {
      const process = this.#host.start([NETMOOR, verb, '--json']);
      const killed = await this.#befall(process, random);
      this.#count(`netmoor ${verb}${killed === undefined ? '' : ' killed'}`);
      if (killed === undefined) this.#judge(verb, process);
      await pause(BETWEEN_ROUNDS_MS);
    }
  }

  #judge(verb: string, { output, errors }: Background): void {
    // What is code 11 for a plugin: a store that a stopped process holds.
    const held = /is held by (another process|process \d+)/.test(errors);
    if (output === '' && !held) this.violations.push(`netmoor ${verb}: ${errors}`);
    if (output === '') return;
    if (verb === 'check') {
      const { store } = JSON.parse(output) as { store: string[] };
      this.violations.push(...store.map((text) => `the store contradicts itself: ${text}`));
    }
  }
}
