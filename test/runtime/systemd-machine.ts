/**
 * A machine booted by systemd inside a private host, for units that need a service manager: systemd-nspawn runs the
 * machine's own Debian, on an overlay that goes with the host, in control groups that are the host's.
 */
import { fileURLToPath } from 'node:url';
import { OWN_PLUGINS } from '../kernel/harness-cni.ts';
import type { Background, Outcome } from '../kernel/harness-process.ts';
import { until } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';

/** The two ends of the wire between host and machine. */
export const HOST4 = '192.0.2.1';
export const MACHINE4 = '192.0.2.2';

const ROOT = '/run/machine';
const BOOT_MS = 60_000;

const EXAMPLES = fileURLToPath(new URL('../../hooks/examples', import.meta.url));

/** `$1` is the name of a control group, `$2` the directory of the executables. */
const BOOT = `
for hierarchy in /sys/fs/cgroup/*; do
  [ -e $hierarchy/cgroup.procs ] && mkdir -p $hierarchy/$1 || continue
  for file in cpuset.cpus cpuset.mems; do
    [ ! -e $hierarchy/$file ] || cat $hierarchy/$file > $hierarchy/$1/$file
  done
  echo $$ > $hierarchy/$1/cgroup.procs || true
done
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn --quiet --register=no --keep-unit --console=pipe --link-journal=no --resolv-conf=off --timezone=off \\
  --system-call-filter="@keyring bpf" --network-veth --machine=moored --directory=${ROOT} --bind-ro=$2:/usr/local/bin --boot -- --unit=booted.target
`;

const LAY_OUT = `
mkdir -p ${ROOT} ${ROOT}.upper ${ROOT}.work
mount -t overlay -o lowerdir=/,upperdir=${ROOT}.upper,workdir=${ROOT}.work overlay ${ROOT}
cd ${ROOT}
rm -rf var/lib/cni etc/cni etc/netmoor var/log/journal
mkdir -p var/lib/cni etc/cni/net.d etc/netmoor
cp ${EXAMPLES}/systemd/*.service etc/systemd/system/
cp -r ${EXAMPLES}/nspawn/*.d etc/systemd/system/
cp ${EXAMPLES}/*/*.conflist ${EXAMPLES}/../oci/examples/*.conflist etc/cni/net.d/
cat > etc/systemd/system/booted.target <<'end'
[Unit]
Wants=dbus.socket
After=basic.target dbus.socket
end
`;

export class Machine {
  readonly #host: Host;
  readonly #nspawn: Background;
  #leader = '';

  private constructor(host: Host, nspawn: Background) {
    this.#host = host;
    this.#nspawn = nspawn;
  }

  /** `prepare`: lines of shell that fill the machine's root directory, which is the current one. */
  static async boot(host: Host, prepare: string): Promise<Machine> {
    await host.shell(`${LAY_OUT}\n${prepare}`);
    const machine = new Machine(host, host.start(['sh', '-eu', '-c', BOOT, 'sh', host.id, OWN_PLUGINS]));
    try {
      await machine.#ready();
      return machine;
    } catch (error) {
      throw new Error(`no machine: ${machine.#nspawn.output}${machine.#nspawn.errors}`, { cause: error });
    }
  }

  async #ready(): Promise<void> {
    const find = async (): Promise<boolean> => {
      if (this.#nspawn.ended) throw new Error('systemd-nspawn has ended');
      this.#leader = (await this.#host.run(['pgrep', '-x', 'systemd'])).stdout.trim();
      return (
        /^\d+$/.test(this.#leader) && (await this.run(['test', '-S', '/run/systemd/private'])).code === 0
      );
    };
    await until(find, 'systemd is there', BOOT_MS);
    await this.run(['systemctl', 'is-system-running', '--wait'], BOOT_MS);
    await this.#host.shell(`ip link set ve-moored up; ip address add ${HOST4}/24 dev ve-moored`);
    await this.shell(
      `ip link set host0 up; ip address add ${MACHINE4}/24 dev host0; ip route add default via ${HOST4}`,
    );
  }

  async run(argv: readonly string[], deadlineMs = 30_000): Promise<Outcome> {
    return this.#host.run(['nsenter', `--target=${this.#leader}`, '--all', '--', ...argv], { deadlineMs });
  }

  /** A command that must succeed; what it prints. */
  async must(...argv: string[]): Promise<string> {
    const outcome = await this.run(argv, BOOT_MS);
    if (outcome.code === 0) return outcome.stdout;
    const journal = await this.run(['journalctl', '--no-pager', '--lines=40']);
    throw new Error(
      `${argv.join(' ')}: exit ${outcome.code}\n${outcome.stderr}${outcome.stdout}${journal.stdout}`,
    );
  }

  async shell(script: string): Promise<string> {
    return this.must('sh', '-eu', '-c', script);
  }

  /** A property of a unit, such as MainPID. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.must('systemctl', 'show', '--property', name, '--value', unit)).trim();
  }

  /** The page at / of a web server in the machine, as the host gets it. */
  async fetch(port: number): Promise<string | undefined> {
    return fetchFrom(this.#host, MACHINE4, port);
  }
}

/** The page at / of a web server; undefined when there is none. */
export async function fetchFrom(place: Place, address: string, port: number): Promise<string | undefined> {
  const remote = address.includes(':') ? `TCP6:[${address}]` : `TCP4:${address}`;
  const client = ['socat', '-t', '2', '-', `${remote}:${port},connect-timeout=2`];
  const { code, stdout } = await place.run(client, { input: 'GET / HTTP/1.0\r\n\r\n' });
  const body = stdout.indexOf('\r\n\r\n');
  return code === 0 && body >= 0 ? stdout.slice(body + 4) : undefined;
}

/** Lines of shell that make a container's file system of busybox, with an init, in `directory`. */
export function busyboxRoot(directory: string): string {
  return `(
mkdir -p ${directory}
cd ${directory}
mkdir -p bin sbin etc proc sys dev tmp run usr var root
cp /bin/busybox bin/
chroot . /bin/busybox --install -s /bin
ln -sf /bin/busybox sbin/init
echo ID=busybox > etc/os-release
)
`;
}
