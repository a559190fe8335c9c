/**
 * OCI bundles (runtime-spec 1.0) whose containers get their networks from netmoor-hook: each with a file system of its
 * own, in which the hook may write.
 */
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import { until, withHost } from '../kernel/harness.ts';
import type { Host, Place, Reporter } from '../kernel/harness.ts';
import type { Outcome } from '../kernel/harness-process.ts';
import { makeRootfs, ROOTFS } from './rootfs.ts';

/** As built; NETMOOR_HOOK may name another one. */
export const HOOK = process.env['NETMOOR_HOOK'] ?? `${OWN_PLUGINS}/netmoor-hook`;

/** What runtimes and these bundles leave by intent, and the hook's own: log, map of names, its lock. */
export const HOOK_FILES =
  /^\S \/(run\/(runc|crun|bundles|rootfs|netmoor(\/(hosts|hosts\.lock))?$)|var\/log\/netmoor-hook\.log)/;

export const LOG = '/var/log/netmoor-hook.log';
export const HOST_MAP = '/run/netmoor/hosts';

interface OciHook {
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  readonly timeout?: number;
}

interface Spec {
  process: { terminal: boolean; args: readonly string[]; rlimits?: unknown };
  root: { path: string; readonly: boolean };
  hostname?: string;
  annotations?: Readonly<Record<string, string>>;
  hooks?: Readonly<Record<string, readonly OciHook[]>>;
  mounts: { destination: string; type?: string; source?: string; options?: readonly string[] }[];
  linux: { cgroupsPath?: string; namespaces: { type: string; path?: string }[] };
}

export interface BundleOptions {
  /** The container's program; without one it stays until killed. */
  readonly command?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** The hook's arguments behind its name. */
  readonly flags?: readonly string[];
  /** Under which hooks netmoor-hook is listed; createRuntime and poststop without this. */
  readonly stages?: readonly string[];
  /** Further hooks, after netmoor-hook. */
  readonly further?: Readonly<Record<string, readonly OciHook[]>>;
  /** The hook's program, when it is another one. */
  readonly program?: string;
  /** Last changes to config.json. */
  readonly change?: (spec: Spec) => void;
}

/** Paths of a bundle as the host sees them. */
export interface HookBundle {
  readonly id: string;
  readonly directory: string;
  readonly rootfs: string;
}

/** The configuration is `runc spec`'s own, with hooks. */
export async function makeHookBundle(
  host: Host,
  id: string,
  options: BundleOptions = {},
): Promise<HookBundle> {
  const directory = `/run/bundles/${id}`;
  const text = await host.shell(`
mkdir -p ${directory}
cp -a ${ROOTFS} ${directory}/rootfs
rm -f ${directory}/config.json
runc spec --bundle ${directory}
cat ${directory}/config.json`);
  const spec = JSON.parse(text) as Spec;
  spec.process.terminal = false;
  spec.process.args = options.command ?? ['/bin/sleep', '1000000'];
  // Raising a limit takes CAP_SYS_RESOURCE.
  delete spec.process.rlimits;
  spec.root = { path: 'rootfs', readonly: true };
  spec.linux.cgroupsPath = `/${host.id}/${id}`;
  // An empty environment: the hook must need nothing of it.
  const hook = { path: options.program ?? HOOK, args: ['netmoor-hook', ...(options.flags ?? [])], env: [] };
  const listed = (options.stages ?? ['createRuntime', 'poststop']).map((stage): [string, OciHook[]] => [
    stage,
    [hook],
  ]);
  const hooks: Record<string, readonly OciHook[]> = Object.fromEntries(listed);
  for (const [stage, further] of Object.entries(options.further ?? {}))
    hooks[stage] = [...(hooks[stage] ?? []), ...further];
  spec.hooks = hooks;
  if (options.annotations !== undefined) spec.annotations = options.annotations;
  options.change?.(spec);
  host.write(`${directory}/config.json`, JSON.stringify(spec, undefined, 2));
  return { id, directory, rootfs: `${directory}/rootfs` };
}

/**
 * Forwarding stays on once a network needed it, and the kernel's subnet-router anycast routes come with it: it is on
 * beforehand. crun refuses a host on which both versions of control groups are mounted. What hooks log is not for the
 * machine's syslog.
 */
export const PREPARE = `
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified
[ ! -S /dev/log ] || mount --bind /dev/null /dev/log
rm -f ${LOG}`;

/** A host in which runtimes can start containers. */
export async function withRuntimeHost(t: Reporter, body: (host: Host) => Promise<void>): Promise<void> {
  const prepared = async (host: Host): Promise<void> => {
    await makeRootfs(host);
    await body(host);
  };
  await withHost(t, prepared, { prepare: PREPARE });
}

/** A container runtime in a host; its containers have the ids of their bundles. */
export class Runtime {
  readonly #host: Host;
  readonly name: string;

  constructor(host: Host, name: string) {
    this.#host = host;
    this.name = name;
  }

  /**
   * Starts a container in the background and prints its process id. The container keeps what it is given for its
   * output.
   */
  script({ id, directory }: Pick<HookBundle, 'id' | 'directory'>): string {
    const files = `< /dev/null > ${directory}.log 2>&1`;
    const run = `${this.name} run --detach --pid-file ${directory}.pid --bundle ${directory} ${id} ${files}`;
    return `${run} || { cat ${directory}.log >&2; exit 1; }\ncat ${directory}.pid\n`;
  }

  /** Starts a container that stays; returns the place its network is. */
  async start({ id, directory }: HookBundle): Promise<Place> {
    const pid = await this.#host.shell(this.script({ id, directory }));
    return this.#host.at(`/proc/${pid.trim()}/ns/net`, id);
  }

  /** Runs a container to its end, whatever comes of it. */
  async run({ id, directory }: HookBundle): Promise<Outcome> {
    return this.#host.run([this.name, 'run', '--bundle', directory, id]);
  }

  async exec(id: string, ...command: string[]): Promise<string> {
    return this.#host.must([this.name, 'exec', id, ...command]);
  }

  async remove(id: string): Promise<void> {
    await this.#host.must([this.name, 'delete', '--force', id]);
  }

  /** Whether the runtime knows the container. */
  async knows(id: string): Promise<boolean> {
    return (await this.#host.run([this.name, 'state', id])).code === 0;
  }
}

/** The lines of the hook's log so far. */
export async function readLog(host: Host): Promise<string> {
  return host.must(['sh', '-c', `cat ${LOG} 2>/dev/null || true`]);
}

/** The map of names, without comments: [address, ...names]. */
export async function readHostMap(host: Host): Promise<string[][]> {
  const text = await host.must(['cat', HOST_MAP]);
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  return lines.filter((line) => line !== '').map((line) => line.split(/\s+/));
}

/** How many files of results there are: attachments that are not detached. */
export async function countResults(host: Host): Promise<number> {
  return Number(await host.must(['sh', '-c', 'ls -A /var/lib/cni/results 2>/dev/null | wc -l']));
}

/** Waits until a file is there. */
export async function untilFile(host: Host, path: string): Promise<void> {
  await until(async () => (await host.run(['test', '-e', path])).code === 0, `${path} is there`);
}
