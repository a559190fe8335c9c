/** The engine in a private host, and calls of plugins through it. */
import { fileURLToPath } from 'node:url';
import type { EngineAnswer } from '../../lib/engine/protocol.ts';
import type { EngineReport } from '../../schemas/compiled/cli-engine.js';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from './harness-cni.ts';
import type { CniCommand } from './harness-cni.ts';
import type { DriverCall } from './engine-driver.ts';
import { until } from './harness.ts';
import type { Host } from './harness.ts';
import type { Background, Outcome } from './harness-process.ts';

export const NETMOOR = `${OWN_PLUGINS}/netmoor`;
export const SOCKET = '/run/netmoor/engine.sock';

const DRIVER = fileURLToPath(new URL('engine-driver.ts', import.meta.url));

export interface Driven {
  readonly milliseconds: number;
  readonly answers: readonly (EngineAnswer | null)[];
}

/** One call of a plugin as a runtime makes it. */
export function callOf(
  command: CniCommand,
  container: string,
  config: Readonly<Record<string, unknown>>,
  ifname = 'eth0',
): DriverCall {
  return {
    program: String(config['type']),
    environment: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_IFNAME: ifname,
      CNI_NETNS: `/run/netns/${container}`,
      CNI_PATH: `${OWN_PLUGINS}:${REFERENCE_PLUGINS}`,
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    },
    config,
  };
}

/** Sends calls all at once from a process in the host. */
export async function drive(host: Host, calls: readonly DriverCall[]): Promise<Driven> {
  const input = JSON.stringify(calls);
  const text = await host.must([process.execPath, DRIVER], { input, deadlineMs: 120_000 });
  return JSON.parse(text) as Driven;
}

/** The answers that are no success, in words. */
export function failures({ answers }: Driven): string[] {
  return answers.flatMap((answer) =>
    answer !== null && 'exitCode' in answer && answer.exitCode === 0 ? [] : [JSON.stringify(answer)],
  );
}

export async function startEngine(host: Host, ...args: string[]): Promise<Background> {
  const engine = host.start([NETMOOR, 'engine', ...args]);
  await engine.until(() => engine.errors.includes('listens'), 'engine that listens', 20_000);
  return engine;
}

export async function askStatus(host: Host): Promise<EngineReport> {
  const { stdout, stderr } = await host.run([NETMOOR, 'engine', 'status', '--json']);
  if (stdout === '') throw new Error(`no status: ${stderr}`);
  return JSON.parse(stdout) as EngineReport;
}

/** The engine's process as seen from the machine. */
export async function hostPid(host: Host): Promise<number> {
  return (await askStatus(host)).pid ?? 0;
}

/** Sends the engine a signal, inside the host. */
export async function signalEngine(host: Host, signal: string): Promise<void> {
  await host.must(['kill', `-${signal}`, String(await hostPid(host))]);
}

/** What the engine has open: descriptors and threads. */
export async function holdings(
  host: Host,
  pid: number,
): Promise<{ fds: number; threads: number; rss: number }> {
  const script = `ls /proc/${pid}/fd | wc -l; ls /proc/${pid}/task | wc -l; awk '/^VmRSS/ { print $2 }' /proc/${pid}/status`;
  const [fds = 0, threads = 0, rss = 0] = (await host.shell(script)).trim().split(/\s+/).map(Number);
  return { fds, threads, rss };
}

/** Resolves when there is no engine. */
export async function noEngine(host: Host): Promise<void> {
  await until(async () => !(await askStatus(host)).running, 'end of the engine', 20_000);
}

export async function run(host: Host, ...argv: string[]): Promise<Outcome> {
  return host.run(argv);
}
