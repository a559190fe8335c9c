/**
 * The process that holds a private "host" open: new network, mount and PID namespaces, and beside it a second network
 * namespace that plays the world outside, joined to the first by the veth pair uplink/wire.
 *
 * The PID namespace is what makes the teardown certain. Whatever a test started in the host, however it forked and
 * reparented, lives in it, and the kernel kills all of it together with process 1. Process 1 is `cat` reading a pipe
 * that only the test process holds: even a test killed by SIGKILL closes the pipe, and with that everything goes.
 * Process 1 ignores SIGCHLD, so the kernel reaps the orphans that are handed to it.
 *
 * Control groups belong to the machine and outlive all that: those under the host's name are removed by a shell that
 * waits outside for the host's end.
 */
import { randomBytes } from 'node:crypto';
import { Background, plainEnvironment } from './harness-process.ts';

/** The addresses of the private world: documentation ranges (RFC 5737, RFC 3849). */
export const world = {
  uplink: 'uplink',
  host4: '203.0.113.2',
  host6: '2001:db8::2',
  /** The router at the far end of the uplink. It knows no route to any container: only NAT brings answers back. */
  router4: '203.0.113.1',
  router6: '2001:db8::1',
  /** A server somewhere behind the router, reached through the default route. */
  internet4: '198.51.100.1',
  internet6: '2001:db8:1::1',
} as const;

export const OUTSIDE = '/run/harness/outside';

/** The trees a runtime or a plugin writes to; each gets a layer of its own that vanishes with the host. */
const LAYERED = ['etc', 'var', 'opt'];

const setUp = `set -eu
read -r outer _ < /proc/self/stat
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/harness/cgroup /run/netns /run/lock
mount --rbind /sys/fs/cgroup /run/harness/cgroup
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount --move /run/harness/cgroup /sys/fs/cgroup
for tree in ${LAYERED.join(' ')}; do
  mkdir /run/harness/$tree /run/harness/$tree.work
  mount -t overlay -o lowerdir=/$tree,upperdir=/run/harness/$tree,workdir=/run/harness/$tree.work overlay /$tree
done
mkdir -p /var/lib/cni /etc/cni/net.d
# What was done on the machine itself is none of the host's.
rm -rf /etc/cni/net.d/* /var/lib/cni/netmoor/leases.db* /var/lib/cni/results /var/lib/cni/networks
echo 0 > /proc/sys/net/ipv4/ip_forward
: > ${OUTSIDE}
unshare --net=${OUTSIDE} true
ip -batch - <<'end'
link set lo up
link add uplink address 02:00:5e:00:53:02 type veth peer name wire address 02:00:5e:00:53:01 netns ${OUTSIDE}
end
echo 0 > /proc/sys/net/ipv6/conf/uplink/accept_dad
ip -batch - <<'end'
link set uplink up
address add ${world.host4}/24 dev uplink
address add ${world.host6}/64 dev uplink nodad
route add default via ${world.router4}
end
nsenter --net=${OUTSIDE} sh -eu -s <<'end'
echo 0 > /proc/sys/net/ipv6/conf/wire/accept_dad
ip -batch - <<'last'
link set lo up
link set wire up
address add ${world.router4}/24 dev wire
address add ${world.router6}/64 dev wire nodad
address add ${world.internet4}/32 dev lo
address add ${world.internet6}/128 dev lo nodad
last
end
ip -6 route add default via ${world.router6}
trap '' CHLD
echo "ready $outer"
exec cat
`;

/** Runs the script $2 as process 1 of new namespaces; afterwards removes the control groups $1 of every hierarchy. */
const keeper = `
unshare --net --mount --pid --fork --kill-child --propagation private sh -c "$2"
for group in /sys/fs/cgroup/$1 /sys/fs/cgroup/*/$1; do
  [ ! -d $group ] || find $group -depth -type d -exec rmdir {} +
done
`;

export interface HolderOptions {
  /** Commands of the caller's, run in the host (as root's `sh -eu`) right before it counts as ready. */
  readonly prepare?: string;
}

/** Starts the namespaces; resolves when both stand and the uplink carries traffic. */
export class Holder {
  readonly #process: Background;
  /** Process 1 of the host, as seen from the machine. */
  readonly pid: number;
  /** Unlike any other host's; also the name of its control groups. */
  readonly id: string;

  private constructor(process: Background, pid: number, id: string) {
    this.#process = process;
    this.pid = pid;
    this.id = id;
  }

  static async start(options: HolderOptions = {}): Promise<Holder> {
    const script = setUp.replace("trap '' CHLD\n", () => `${options.prepare ?? ''}\ntrap '' CHLD\n`);
    const id = `netmoor-test-${randomBytes(5).toString('hex')}`;
    const child = new Background(['sh', '-c', keeper, 'sh', id, script], plainEnvironment);
    const ready = () => /^ready (\d+)$/m.exec(child.output);
    try {
      await child.until(() => ready() !== null, 'private host');
    } catch (error) {
      await child.stop();
      throw error;
    }
    return new Holder(child, Number(ready()?.[1]), id);
  }

  /**
   * Kills everything in the host. `unshare`, and after it the keeper, end only when the kernel has emptied the PID
   * namespace.
   */
  async stop(): Promise<void> {
    this.#process.child.stdin?.end();
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // It went by itself when its input ended.
    }
    await this.#process.end();
  }
}
