/** Debian's Docker inside a private host: a daemon of its own, with its containerd, storage and state. */
import { until } from '../kernel/harness-until.ts';
import type { Host, Place } from '../kernel/harness.ts';
import type { Background } from '../kernel/harness-process.ts';
import { ROOTFS_TAR, makeRootfs } from './rootfs.ts';

const IMAGE = 'busybox:1';
const SOCKET = 'unix:///run/docker.sock';

/** The limits are stated because containerd's shim otherwise raises them, which takes CAP_SYS_RESOURCE. */
const DAEMON = [
  ...['dockerd', '--host', SOCKET, '--pidfile', '/run/docker.pid', '--storage-driver', 'vfs'],
  ...['--data-root', '/run/docker-data', '--exec-root', '/run/docker-exec'],
  ...['--default-ulimit', 'nofile=1024:1024', '--exec-opt', 'native.cgroupdriver=cgroupfs'],
];

export class Docker {
  readonly #host: Host;
  #daemon: Background;

  private constructor(host: Host) {
    this.#host = host;
    this.#daemon = host.start(DAEMON);
  }

  /** Resolves when the daemon answers. */
  static async start(host: Host): Promise<Docker> {
    const docker = new Docker(host);
    await docker.#answers();
    return docker;
  }

  async #answers(): Promise<void> {
    const command = ['/usr/bin/docker', '--host', SOCKET, 'version'];
    await until(async () => (await this.#host.run(command)).code === 0, 'answer of dockerd', 30_000);
  }

  /** As a service manager does it. */
  async restart(): Promise<void> {
    await this.#host.shell('kill -TERM $(cat /run/docker.pid)');
    await this.#daemon.end();
    this.#daemon = this.#host.start(DAEMON);
    await this.#answers();
  }

  async must(...args: string[]): Promise<string> {
    return this.#host.must(['/usr/bin/docker', '--host', SOCKET, ...args]);
  }

  /** `docker run` of a container that stays; the place where its network namespace is. */
  async container(name: string, ...options: string[]): Promise<Place> {
    await makeRootfs(this.#host);
    if ((await this.must('images', '--quiet')) === '') await this.must('import', ROOTFS_TAR, IMAGE);
    const parent = `/${this.#host.id}`;
    const run = ['run', '--detach', '--name', name, '--cgroup-parent', parent, ...options];
    await this.must(...run, IMAGE, '/bin/sleep', '1000000');
    const pid = (await this.must('inspect', '--format', '{{.State.Pid}}', name)).trim();
    return this.#host.at(`/proc/${pid}/ns/net`, name);
  }
}
