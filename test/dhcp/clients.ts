/**
 * DHCP clients in use, for servers of ours: each on `eth0` of its place, in mounts of its own where it keeps files, so
 * that several run side by side and one that is started again finds what it left.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Background } from '../kernel/harness-process.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { until } from '../kernel/harness.ts';

/** How one program is used. */
export interface ClientKind {
  readonly name: string;
  /** Files in the client's directory. */
  files(directory: string): Readonly<Record<string, string>>;
  /** Lines of shell that become the client. */
  script(directory: string): string;
  /** Run beside the client, in its mounts. */
  readonly renew: string;
  readonly release: string;
}

const ROOT = '/run/harness/dhcp-clients';

/** Sets the address and the route, as a script of udhcpc(8) has to; tells what it was given in a file. */
const udhcpcScript = (directory: string): string => `#!/bin/sh
set > ${directory}/given
case $1 in
deconfig) ip address flush dev $interface; ip link set $interface up ;;
bound | renew)
  ip address replace $ip/\${mask:-24} dev $interface
  [ -z "$router" ] || ip route replace default via \${router%% *} dev $interface ;;
esac
`;

export function udhcpc(...options: readonly string[]): ClientKind {
  return {
    name: 'udhcpc',
    files: (directory) => ({ script: udhcpcScript(directory) }),
    script: (directory) => `exec busybox udhcpc -f -i eth0 -s ${directory}/script ${options.join(' ')}`,
    renew: 'kill -USR1 $CLIENT',
    release: 'kill -USR2 $CLIENT',
  };
}

/** `lines` of dhcpcd.conf(5); options of the command for one family alone: `-4`, `-6`. */
export function dhcpcd(lines: readonly string[], ...options: readonly string[]): ClientKind {
  const family = options.find((option) => option === '-4' || option === '-6') ?? '';
  const config = ['nohook resolv.conf', 'noipv4ll', ...lines, ''].join('\n');
  return {
    name: 'dhcpcd',
    files: () => ({ 'dhcpcd.conf': config }),
    script: (directory) => `mkdir -p ${directory}/lib /run/dhcpcd /var/lib/dhcpcd
      mount -t tmpfs tmpfs /run/dhcpcd
      mount --bind ${directory}/lib /var/lib/dhcpcd
      exec dhcpcd -B -d -f ${directory}/dhcpcd.conf -c /bin/true ${options.join(' ')} eth0`,
    renew: `dhcpcd ${family} -N eth0`,
    // It waits ten seconds for itself to end, and now and then that is not enough: what it did the server says.
    release: `dhcpcd ${family} -k eth0 || true`,
  };
}

/** `lines` of systemd.network(5) behind `[Match]`. Without a bus it takes no orders: it renews when T1 has come. */
export function networkd(...lines: readonly string[]): ClientKind {
  return {
    name: 'networkd',
    files: () => ({ 'eth0.network': ['[Match]', 'Name=eth0', ...lines, ''].join('\n') }),
    // Where /sys can be written it waits for udev to know the link.
    script: (directory) => `mkdir -p /run/systemd
      mount -t tmpfs tmpfs /run/systemd
      mkdir -p /run/systemd/network /run/systemd/netif
      cp ${directory}/eth0.network /run/systemd/network/
      chown systemd-network: /run/systemd/netif
      mount -o remount,bind,ro /sys
      [ -e ${directory}/id ] || tr -d - </proc/sys/kernel/random/uuid >${directory}/id
      mount --bind ${directory}/id /etc/machine-id
      exec /usr/lib/systemd/systemd-networkd`,
    renew: 'exit 1',
    release: 'kill -TERM $CLIENT',
  };
}

export class DhcpClient {
  readonly place: Place;
  readonly #kind: ClientKind;
  readonly #host: Host;
  #process: Background | undefined;

  private constructor(host: Host, place: Place, kind: ClientKind) {
    this.#host = host;
    this.place = place;
    this.#kind = kind;
  }

  static async start(host: Host, place: Place, kind: ClientKind): Promise<DhcpClient> {
    const client = new DhcpClient(host, place, kind);
    for (const [name, text] of Object.entries(kind.files(client.#directory)))
      host.write(`${client.#directory}/${name}`, text, 0o755);
    await client.start();
    return client;
  }

  /** Starts again, with what it keeps in files. */
  async start(): Promise<void> {
    const script = `echo $$\nset -eu\nexec 2>&1\n${this.#kind.script(this.#directory)}`;
    const started = this.place.start(['unshare', '--mount', 'sh', '-c', script]);
    this.#process = started;
    await started.until(() => started.output.includes('\n'), 'process number');
  }

  get text(): string {
    return `${this.#process?.output ?? ''}${this.#process?.errors ?? ''}`;
  }

  /** What udhcpc's script was given, by the names of udhcpc(8): `ip`, `search`, `staticroutes`, … */
  given(): Readonly<Record<string, string>> {
    const file = this.#host.path(`${this.#directory}/given`);
    if (!existsSync(file)) return {};
    const lines = readFileSync(file, 'utf8').matchAll(/^(\w+)='(.*)'$/gm);
    return Object.fromEntries([...lines].map(([, name = '', value = '']) => [name, value]));
  }

  /** Resolves with the first global address of this family on eth0, without its length. */
  async bound(family: 4 | 6 = 4, deadlineMs = 20_000): Promise<string> {
    try {
      return await until(() => this.address(family), `address of ${this.place.name}`, deadlineMs);
    } catch (error) {
      throw new Error(`${this.#kind.name}: ${this.text}`, { cause: error });
    }
  }

  async address(family: 4 | 6 = 4): Promise<string | undefined> {
    const [link] = await this.place.ip(`-${family}`, 'address', 'show', 'dev', 'eth0', 'scope', 'global');
    const usable = link?.addr_info?.filter((address) => !('tentative' in address));
    return usable?.[0]?.local;
  }

  async renew(): Promise<void> {
    await this.#order(this.#kind.renew);
  }

  async release(): Promise<void> {
    await this.#order(this.#kind.release);
  }

  /** Ends it without a word to anybody. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  get #directory(): string {
    return `${ROOT}/${this.place.name}-${this.#kind.name}`;
  }

  async #order(command: string): Promise<void> {
    const pid = /^\d+/.exec(this.#process?.output ?? '')?.[0];
    if (pid === undefined) throw new Error(`${this.place.name} runs no client`);
    await this.place.must([
      'nsenter',
      `--mount=/proc/${pid}/ns/mnt`,
      'env',
      `CLIENT=${pid}`,
      'sh',
      '-c',
      command,
    ]);
  }
}
