/**
 * podman 4 with the CNI network backend, entirely inside a private host: its own configuration, storage and state.
 */
import { until } from '../kernel/harness-until.ts';
import { ROOTFS_TAR, makeRootfs } from './rootfs.ts';
import { PLUGIN_PATH } from './flavours.ts';
import type { Host, Place } from '../kernel/harness.ts';
import type { Outcome } from '../kernel/harness-process.ts';

const IMAGE = 'localhost/busybox:1';

/** What makes podman's networks: CNI plugins, or its own successor of them. */
export type Backend = 'cni' | 'netavark';

/** The limits are stated because podman otherwise raises them, which takes CAP_SYS_RESOURCE. */
const containersConf = (backend: Backend): string => `
[network]
network_backend = "${backend}"
cni_plugin_dirs = ${JSON.stringify(PLUGIN_PATH)}
network_config_dir = "/etc/cni/net.d"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
`;

const STORAGE_CONF = `
[storage]
driver = "vfs"
graphroot = "/run/containers/graph"
runroot = "/run/containers/run"
`;

/** podman's own files, which are nobody else's leftovers. */
export const PODMAN_FILES =
  /^\S \/(run\/(containers|libpod|runc|crun|lock|rootfs)|etc\/cni\/net\.d\/cni\.lock)/;

export interface Inspected {
  readonly NetworkSettings: {
    readonly SandboxKey: string;
    readonly Networks: Readonly<
      Record<
        string,
        {
          readonly IPAddress: string;
          readonly GlobalIPv6Address: string;
          readonly MacAddress: string;
          readonly Gateway: string;
        }
      >
    >;
  };
}

export class Podman {
  readonly #host: Host;

  private constructor(host: Host) {
    this.#host = host;
  }

  static async start(host: Host, backend: Backend = 'cni'): Promise<Podman> {
    host.write('/etc/containers/containers.conf', containersConf(backend));
    host.write('/etc/containers/storage.conf', STORAGE_CONF);
    await makeRootfs(host);
    const podman = new Podman(host);
    await podman.must('import', '--quiet', ROOTFS_TAR, IMAGE);
    return podman;
  }

  async run(...args: string[]): Promise<Outcome> {
    return this.#host.run(['podman', ...args]);
  }

  /** A podman command that must succeed; returns its standard output. */
  async must(...args: string[]): Promise<string> {
    return this.#host.must(['podman', ...args]);
  }

  /** `podman run --detach` of a container that stays; returns the place its network namespace is. */
  async container(name: string, ...options: string[]): Promise<Place> {
    await this.must(
      'run',
      '--detach',
      '--name',
      name,
      '--cgroup-parent',
      this.#host.id,
      ...options,
      IMAGE,
      'sleep',
      '1000000',
    );
    return this.#host.at((await this.inspect(name)).NetworkSettings.SandboxKey, name);
  }

  async inspect(name: string): Promise<Inspected> {
    const [inspected] = JSON.parse(await this.must('container', 'inspect', name)) as Inspected[];
    if (inspected === undefined) throw new Error(`podman does not know ${name}`);
    return inspected;
  }

  /** Of a container that failed, or ended by itself, podman's helpers outlive the command by a moment. */
  async untilQuiet(): Promise<void> {
    const isQuiet = async (): Promise<boolean> =>
      !/^[^Z].*(conmon|container cleanup)/m.test(await this.#host.must(['ps', '-eo', 'stat,args']));
    await until(isQuiet, 'end of conmon', 10_000);
  }

  async remove(name: string): Promise<void> {
    await this.must('rm', '--force', '--time', '0', name);
  }
}
