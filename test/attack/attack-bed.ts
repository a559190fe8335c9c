/** Programs that stop, die or hurry in a private host, and what the tests compare afterwards. */
import { answerOf, startPlugin } from '../kernel/harness-cni.ts';
import { REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import type { Background } from '../kernel/harness-process.ts';
import { until, without } from '../kernel/harness.ts';
import type { CniAnswer, CniCall, CniCommand, CniJson, Host, Snapshot } from '../kernel/harness.ts';
import { bundled } from '../crash/bundled.ts';
import { end, isStopped, kill, resume } from './signals.ts';

export const VICTIM = bundled('bridge-nat-victim');
const NETMOOR_VICTIM = bundled('netmoor-victim');
const CONTENTS = bundled('store-contents');
const NODE = process.execPath;
export const USUAL_STORE = '/var/lib/cni/netmoor';

export const HARBOUR = {
  cniVersion: '1.1.0',
  name: 'harbour',
  type: 'bridge-nat',
  ipam: { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] },
};

/** A call for one container; `config` is laid over that of the harbour. */
export function callFor(
  containerId: string,
  config: object = {},
  netns = `/run/netns/${containerId}`,
): CniCall {
  const whole = { ...HARBOUR, ...config };
  return { config: whole, containerId, ifname: 'eth0', path: REFERENCE_PLUGINS, ...(netns ? { netns } : {}) };
}

export async function run(host: Host, command: CniCommand, call: CniCall): Promise<CniAnswer> {
  return host.cni([NODE, VICTIM, '', ''], command, call);
}

export async function must(host: Host, command: CniCommand, call: CniCall): Promise<CniJson> {
  return (await host.cniMust([NODE, VICTIM, '', ''], command, call)).json ?? {};
}

/** As `run`, for what has to wait for somebody in vain: it loses patience soon. */
export async function runInHaste(host: Host, command: CniCommand, call: CniCall): Promise<CniAnswer> {
  return host.cni([NODE, VICTIM, '', 'hastens'], command, call);
}

/** The steps of a command that succeeds. */
export async function stepsOf(host: Host, command: CniCommand, call: CniCall): Promise<string[]> {
  const { stderr } = await host.cniMust([NODE, VICTIM], command, call);
  return [...stderr.matchAll(/^step (.*)$/gm)].map((match) => match[1] ?? '');
}

/** A program that has stopped at a step. */
export class Stopped {
  readonly process: Background;

  constructor(process: Background) {
    this.process = process;
  }

  async resume(): Promise<CniAnswer> {
    await resume(this.process);
    return answerOf(this.process);
  }

  async kill(): Promise<void> {
    kill(this.process);
    await this.process.end();
  }
}

async function whileStopped<T>(process: Background, work: (stopped: Stopped) => Promise<T>): Promise<T> {
  try {
    await process.until(() => process.errors.includes('stopped\n'), 'stop at the step', 30_000);
    await until(() => isStopped(process), 'the process has stopped');
    return await work(new Stopped(process));
  } finally {
    await end(process);
  }
}

/** Runs `work` while the plugin stands still at `step`; what is left of it then is killed. */
export async function stopped<T>(
  host: Host,
  command: CniCommand,
  call: CniCall,
  step: string,
  work: (stopped: Stopped) => Promise<T>,
  program = VICTIM,
  fate: 'stops' | 'stumbles' = 'stops',
): Promise<T> {
  return whileStopped(startPlugin(host, [NODE, program, step, fate], command, call), work);
}

/** The same for `netmoor`. */
export async function stoppedNetmoor<T>(
  host: Host,
  args: readonly string[],
  step: string,
  work: (stopped: Stopped) => Promise<T>,
): Promise<T> {
  return whileStopped(host.start([NODE, NETMOOR_VICTIM, step, 'stops', ...args]), work);
}

export interface Contents {
  readonly attachments: readonly {
    readonly containerId: string;
    readonly state: string;
    readonly addresses: readonly { readonly address: string }[];
  }[];
  readonly networks: readonly unknown[];
  readonly problems: readonly string[];
}

export async function contents(host: Host, store = USUAL_STORE): Promise<Contents> {
  return JSON.parse(await host.must([NODE, CONTENTS, store]));
}

/** All of the host but the processes and the stores' own files. */
export async function dump(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /netmoor|leases/ }), 'processes');
}

/** Whether the container reaches its gateways. */
export async function reaches(host: Host, container: string, result: CniJson): Promise<boolean> {
  const gateways = (result.ips ?? []).flatMap(({ gateway }) => (gateway === undefined ? [] : [gateway]));
  const pings = gateways.map((gateway) => `ip netns exec ${container} ping -c 1 -W 5 ${gateway} >&2`);
  return gateways.length > 0 && (await host.run(['sh', '-c', pings.join(' && ')])).code === 0;
}

/** Ends a container; the kernel takes its namespace apart in the background, and its veths with it. */
export async function removeContainer(host: Host, name: string): Promise<void> {
  const veths = async (): Promise<number> => (await host.ip('link', 'show', 'type', 'veth')).length;
  const inside = (await host.at(`/run/netns/${name}`).ip('link', 'show', 'type', 'veth')).length;
  const before = await veths();
  await host.removeContainer(name);
  await until(async () => (await veths()) <= before - inside, `the interfaces of ${name} are gone`);
}
