/**
 * A containerd of its own inside a private host, and `ctr` talking to it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import { ROOTFS, makeRootfs } from './rootfs.ts';
import type { Background, Outcome } from '../kernel/harness-process.ts';
import type { Host, Place } from '../kernel/harness.ts';

/**
 * containerd states limits in every container, and to raise one above what this process has takes CAP_SYS_RESOURCE:
 * `runc create --bundle DIR` gets the limits taken out of DIR/config.json first.
 */
const RUNC = '/run/bin/runc';
const RUNC_SCRIPT = `#!/bin/sh
bundle=
before=
for word in "$@"; do
  [ "$before" = --bundle ] && bundle=$word
  before=$word
done
if [ -n "$bundle" ]; then
  jq 'del(.process.rlimits)' "$bundle/config.json" > "$bundle/config.json.new"
  mv "$bundle/config.json.new" "$bundle/config.json"
fi
exec /usr/sbin/runc "$@"
`;

const CONFIG = `version = 2
root = "/run/containerd-root"
state = "/run/containerd"
`;

/** containerd's own files, which are nobody else's leftovers. */
export const CONTAINERD_FILES = /^\S \/run\/(containerd|containerd-root|bin|rootfs|runc)/;

/** The cri plugin's part of the configuration: attaches `networks` networks at once, in parallel. */
export function criConfig(sandboxImage: string, networks: number): string {
  return `
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${sandboxImage}"
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/opt/cni/bin"
  conf_dir = "/etc/cni/net.d"
  max_conf_num = ${networks}
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "${RUNC}"
`;
}

/** Puts our executables and the reference's where containerd looks: links at /opt/cni/bin. */
async function installPlugins(host: Host): Promise<void> {
  const own = existsSync(OWN_PLUGINS) ? readdirSync(OWN_PLUGINS).map((name) => `${OWN_PLUGINS}/${name}`) : [];
  await host.shell(`mkdir -p /opt/cni/bin\nln -sf /usr/lib/cni/* ${own.join(' ')} /opt/cni/bin/`);
}

export class Containerd {
  readonly #host: Host;
  readonly daemon: Background;

  private constructor(host: Host, daemon: Background) {
    this.#host = host;
    this.daemon = daemon;
  }

  /**
   * `further` is added to the configuration; without it there is no cri plugin. `plugins`: whether they are put at
   * /opt/cni/bin, or are there already.
   */
  static async start(
    host: Host,
    further = 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
    plugins: 'put there' | 'installed' = 'put there',
  ): Promise<Containerd> {
    host.write('/etc/containerd/config.toml', CONFIG + further);
    host.write(RUNC, RUNC_SCRIPT, 0o755);
    if (plugins === 'put there') await installPlugins(host);
    await makeRootfs(host);
    const daemon = host.start(['containerd', '--config', '/etc/containerd/config.toml']);
    await daemon.until(() => daemon.errors.includes('containerd successfully booted'), 'containerd');
    return new Containerd(host, daemon);
  }

  /** `ctr` in a containerd namespace named for the host, so that control groups go with it. */
  async ctr(...args: string[]): Promise<Outcome> {
    return this.#host.run(['ctr', '--namespace', this.#host.id, ...args]);
  }

  async must(...args: string[]): Promise<string> {
    return this.#host.must(['ctr', '--namespace', this.#host.id, ...args]);
  }

  /** `ctr run --cni` of a command that ends by itself; its output. */
  async foreground(id: string, ...command: string[]): Promise<string> {
    return this.must('run', '--cni', '--rm', '--runc-binary', RUNC, '--rootfs', ROOTFS, id, ...command);
  }

  /** `ctr run --cni --detach` of a container that stays; the place its network namespace is. */
  async container(id: string): Promise<Place> {
    await this.must(
      'run',
      '--cni',
      '--detach',
      '--runc-binary',
      RUNC,
      '--rootfs',
      ROOTFS,
      id,
      '/bin/sleep',
      '1000000',
    );
    const tasks = await this.must('tasks', 'list');
    const pid = new RegExp(`^${id}\\s+(\\d+)`, 'm').exec(tasks)?.[1];
    if (pid === undefined) throw new Error(`containerd has no task ${id}:\n${tasks}`);
    return this.#host.at(`/proc/${pid}/ns/net`, id);
  }

  async remove(id: string): Promise<void> {
    await this.must('tasks', 'delete', '--force', id);
    await this.must('containers', 'delete', id);
  }
}
