/**
 * Those who ask the engine in the soak, as one process in the host: for every line on stdin (a number of requests) they
 * ask that often, some at a time, and print a line of JSON of how it went. `$1`: the seed; `$2`: where the plugins'
 * names lead to the launcher; `$3`: where they are one-shot executables.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { LaunchedCall } from '../kernel/launcher-request.ts';
import { until } from '../kernel/harness-until.ts';
import { randomFrom } from '../unit/ipam-ledger.ts';
import { MISDEEDS, ask, askWithRights } from './soak-clients.ts';

const [, , seed = '1', launched = '', oneShot = ''] = process.argv;

const WORKERS = 6;
const SHARED = 'harbour';
const KILLED_WITHIN_MS = 12;

type Random = () => number;
type Verb = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';

/** Asked for, by who or what, and how it went: "ADD launcher 0". */
export type Figures = Record<string, number>;

interface Attached {
  /** The result of ADD; undefined where its launcher was killed. */
  readonly result: object | undefined;
}

interface Outcome {
  readonly code: number;
  readonly text: string;
}

const PLAIN = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', CNI_PATH: oneShot };

function start(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  stdin: string,
): ChildProcess {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin?.on('error', () => {});
  child.stdin?.end(stdin);
  return child;
}

async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, text: Buffer.concat(chunks).toString() };
}

function codeOf(text: string): number {
  try {
    return (JSON.parse(text) as { code?: number }).code ?? 0;
  } catch {
    return 0;
  }
}

/** One who asks after another, with a container of its own in a shared network and in one of its own. */
class Worker {
  readonly #random: Random;
  readonly #container: string;
  readonly #netns: string;
  readonly #own: string;
  readonly #attached = new Map<string, Attached>();
  readonly #tell: (what: string) => void;
  readonly #violations: string[];
  readonly #hanging: Promise<void>[];
  #hooked = false;
  #process: ChildProcess | undefined;

  constructor(index: number, tell: (what: string) => void, violations: string[], hanging: Promise<void>[]) {
    this.#random = randomFrom(Number(seed) * 100 + index);
    this.#container = `s${index}`;
    this.#netns = `/run/netns/s${index}`;
    this.#own = `own${index}`;
    this.#tell = tell;
    this.#violations = violations;
    this.#hanging = hanging;
  }

  #config(network: string, more: object = {}): object {
    const capabilities = { portMappings: true };
    const runtimeConfig =
      network === SHARED
        ? {}
        : { portMappings: [{ hostPort: this.#port(), containerPort: 80, protocol: 'tcp' }] };
    return { cniVersion: '1.1.0', name: network, type: 'bridge-nat', capabilities, runtimeConfig, ...more };
  }

  #port(): number {
    return 8000 + Number(this.#container.slice(1));
  }

  #request(verb: Verb, network: string, more: object = {}, other: Record<string, string> = {}): LaunchedCall {
    const environment = {
      ...PLAIN,
      CNI_COMMAND: verb,
      CNI_CONTAINERID: this.#container,
      CNI_IFNAME: network === SHARED ? 'eth0' : 'eth1',
      CNI_NETNS: this.#netns,
      ...other,
    };
    return { program: 'bridge-nat', environment, stdin: JSON.stringify(this.#config(network, more)) };
  }

  /** By the launcher mostly; over the socket in both forms, with several descriptors too; one-shot. */
  async #send(request: LaunchedCall): Promise<Outcome> {
    const way = this.#random();
    const { program, environment, stdin } = request;
    const name = way < 0.7 ? 'launcher' : way < 0.82 ? 'socket' : way < 0.96 ? 'rights' : 'one-shot';
    this.#tell(`${environment['CNI_COMMAND']} ${name}`);
    if (name === 'launcher' || name === 'one-shot') {
      const directory = name === 'launcher' ? launched : oneShot;
      return outcomeOf(start(`${directory}/${program}`, [], environment, stdin));
    }
    const count = 1 + Math.floor(this.#random() * 3);
    const answer = await (name === 'socket' ? ask(request) : askWithRights(request, this.#netns, count));
    return { code: answer?.exitCode ?? -1, text: answer?.stdout ?? 'refused, or no answer' };
  }

  async #expect(request: LaunchedCall, codes: readonly number[] = []): Promise<Outcome> {
    const outcome = await this.#send(request);
    const fine = codes.length === 0 ? outcome.code === 0 : codes.includes(codeOf(outcome.text));
    if (!fine) {
      const { CNI_COMMAND: verb, CNI_CONTAINERID: id } = request.environment;
      this.#violations.push(`${verb} ${id} ${request.stdin.slice(0, 200)}: ${outcome.code} ${outcome.text}`);
    }
    return outcome;
  }

  async once(): Promise<void> {
    const random = this.#random();
    const network = this.#random() < 0.5 ? SHARED : this.#own;
    if (random < 0.68) await this.#next(network);
    else if (random < 0.73) await this.#expect(this.#request('STATUS', network));
    else if (random < 0.77) await this.#collect();
    else if (random < 0.82) await this.#hook();
    else if (random < 0.88) await this.#mistake(network);
    else if (random < 0.93) await this.#killed(network);
    else this.#misdeed(network);
  }

  async #next(network: string): Promise<void> {
    const attached = this.#attached.get(network);
    if (attached === undefined) {
      const { code, text } = await this.#expect(this.#request('ADD', network));
      if (code === 0) this.#attached.set(network, { result: JSON.parse(text) as object });
    } else if (attached.result !== undefined && this.#random() < 0.4) {
      await this.#expect(this.#request('CHECK', network, { prevResult: attached.result }));
    } else await this.#detach(network);
  }

  async #detach(network: string): Promise<void> {
    const { code } = await this.#expect(this.#request('DEL', network));
    if (code === 0) this.#attached.delete(network);
  }

  /** Of its own network, in which nobody is to be left. */
  async #collect(): Promise<void> {
    await this.#expect(this.#request('GC', this.#own, { 'cni.dev/valid-attachments': [] }));
    this.#attached.delete(this.#own);
  }

  /** A process with a network of its own, in the middle of which a runtime calls its hooks. */
  async #sandbox(): Promise<number> {
    this.#process ??= start('unshare', ['--net', '--mount', 'sleep', '1000000'], PLAIN, '');
    const pid = this.#process.pid ?? 0;
    const own = readlinkSync('/proc/self/ns/net');
    await until(async () => readlinkSync(`/proc/${pid}/ns/net`) !== own, 'a network of its own');
    return pid;
  }

  async #hook(): Promise<void> {
    const pid = await this.#sandbox();
    const bundle = `/run/soak/${this.#container}`;
    if (!this.#hooked) {
      mkdirSync(`${bundle}/rootfs/etc`, { recursive: true });
      writeFileSync(
        `${bundle}/config.json`,
        JSON.stringify({
          ociVersion: '1.0.2',
          root: { path: 'rootfs' },
          linux: { namespaces: [{ type: 'network' }] },
        }),
      );
    }
    const state = {
      ociVersion: '1.0.2',
      id: `h${this.#container}`,
      status: this.#hooked ? 'stopped' : 'created',
      pid: this.#hooked ? 0 : pid,
      bundle,
      annotations: { 'netmoor/networks': 'hooked' },
    };
    this.#tell(`hook ${state.status}`);
    const stage = this.#hooked ? 'poststop' : 'createRuntime';
    const { code, text } = await outcomeOf(
      start(`${launched}/netmoor-hook`, [stage], {}, JSON.stringify(state)),
    );
    if (code !== 0 || text !== '') this.#violations.push(`hook ${stage}: ${code} ${text}`);
    this.#hooked = !this.#hooked;
  }

  async #mistake(network: string): Promise<void> {
    const which = Math.floor(this.#random() * 5);
    if (which === 0) await this.#expect(this.#request('ADD', network, { brigde: 'x' }), [7, 2]);
    else if (which === 1) await this.#expect({ ...this.#request('DEL', network), stdin: '{"cni' }, [6]);
    else if (which === 2) {
      const nowhere = { CNI_NETNS: '/run/netns/nowhere', CNI_CONTAINERID: `${this.#container}x` };
      const request = this.#request('ADD', network, {}, nowhere);
      this.#tell('ADD without namespace');
      const { code, text } = await outcomeOf(
        start(`${launched}/bridge-nat`, [], request.environment, request.stdin),
      );
      if (code === 0) this.#violations.push(`ADD without a namespace: ${text}`);
    } else if (which === 3) {
      const unknown = this.#request('CHECK', network, { prevResult: {} }, { CNI_CONTAINERID: 'nobody' });
      const { code, text } = await this.#send(unknown);
      if (code === 0) this.#violations.push(`CHECK of nobody: ${text}`);
    } else await this.#expect(this.#request('DEL', network, {}, { CNI_CONTAINERID: `${this.#container}y` }));
  }

  /** Whether anything was done is not known then: it is taken down. */
  async #killed(network: string): Promise<void> {
    const verb = this.#attached.has(network) ? 'DEL' : 'ADD';
    const { program, environment, stdin } = this.#request(verb, network);
    this.#tell(`${verb} killed`);
    const child = start(`${launched}/${program}`, [], environment, stdin);
    const ended = outcomeOf(child);
    await Promise.race([ended, pause(this.#random() * KILLED_WITHIN_MS)]);
    child.kill('SIGKILL');
    await ended;
    await this.#detach(network);
  }

  #misdeed(network: string): void {
    const all = Object.entries(MISDEEDS);
    const [name, does] = all[Math.floor(this.#random() * all.length)] ?? [];
    if (name === undefined || does === undefined) throw new TypeError('no misdeed');
    this.#tell(name);
    const request = this.#request('STATUS', network);
    const fails = (error: unknown): void => void this.#violations.push(`${name}: ${String(error)}`);
    const done = does(request, this.#random).catch(fails);
    this.#hanging.push(done);
  }

  async end(): Promise<void> {
    for (const network of [SHARED, this.#own]) await this.#detach(network);
    if (this.#hooked) await this.#hook();
    this.#process?.kill('SIGKILL');
  }
}

const hanging: Promise<void>[] = [];
const violations: string[] = [];
let figures: Figures = {};
const tell = (what: string): void => {
  figures[what] = (figures[what] ?? 0) + 1;
};
const workers = Array.from({ length: WORKERS }, (_, index) => new Worker(index, tell, violations, hanging));

for await (const line of createInterface({ input: process.stdin })) {
  const begun = performance.now();
  let left = Number(line);
  if (left === 0) await Promise.all(workers.map(async (worker) => worker.end()));
  await Promise.all(
    workers.map(async (worker) => {
      while (left-- > 0) await worker.once();
    }),
  );
  await Promise.all(hanging.splice(0));
  const milliseconds = performance.now() - begun;
  process.stdout.write(`${JSON.stringify({ milliseconds, figures, violations: violations.splice(0) })}\n`);
  figures = {};
}
