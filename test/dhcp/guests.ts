/** Members of a served bridge that netmoor did not plug in: namespaces with a veth, as virtual machines have a tap. */
import { readFileSync } from 'node:fs';
import type { Host, Place } from '../kernel/harness.ts';
import { until } from '../kernel/harness.ts';
import { asked, netmoor } from '../kernel/netmoor-command.ts';

export const POOL4 = '10.77.0.0/24';
export const POOL6 = 'fd00:77::/64';

export const LAB = {
  name: 'lab',
  dns: {
    nameservers: ['10.77.0.53', 'fd00:77::53'],
    domain: 'lab.example',
    search: ['lab.example', 'b.example'],
  },
  ipam: { ranges: [[{ subnet: POOL4 }], [{ subnet: POOL6 }]], exclude: ['10.77.0.53', 'fd00:77::53'] },
  dhcpServer: true,
};

export const BRIDGE = 'nm-lab';

/** Its end on the host is "tap-" and the name. */
export async function guest(host: Host, name: string, bridge = BRIDGE): Promise<Place> {
  const place = await host.container(name);
  await host.shell(`
    ip link add tap-${name} type veth peer name eth0 netns ${name}
    ip link set tap-${name} master ${bridge} up
    ip -n ${name} link set eth0 up`);
  return place;
}

export async function macOf(place: Place): Promise<string> {
  const [link] = await place.ip('link', 'show', 'dev', 'eth0');
  return link?.address ?? '';
}

/** Addresses of the network that are on record, by container id. */
export async function leased(host: Host): Promise<Readonly<Record<string, string>>> {
  const { view } = await asked(host, 'leases');
  const v4 = view.leases.filter(({ address }) => !address.includes(':'));
  return Object.fromEntries(v4.map(({ containerId, address }) => [containerId, address]));
}

export async function clientIds(host: Host): Promise<string[]> {
  return Object.keys(await leased(host)).filter((id) => id.startsWith('dhcp-'));
}

/** The engine's process, by its number in the host. */
async function enginePid(host: Host): Promise<number> {
  const { out } = await netmoor(host, 'engine', 'status', '--json');
  return (JSON.parse(out) as { pid: number }).pid;
}

/** Ends it without a word. */
export async function killEngine(host: Host): Promise<void> {
  const pid = await enginePid(host);
  await host.must(['kill', '-9', String(pid)]);
  const isGone = (): boolean => {
    try {
      return / Z | X /.test(readFileSync(host.path(`/proc/${pid}/stat`), 'utf8'));
    } catch {
      return true;
    }
  };
  await until(() => isGone() || undefined, 'end of the engine');
}

/** Whether somebody who asks there is answered: three questions, a second apart. */
export async function isAnswered(place: Place): Promise<boolean> {
  const { code } = await place.run([
    'busybox',
    'udhcpc',
    '-i',
    'eth0',
    '-n',
    '-q',
    '-t',
    '3',
    '-T',
    '1',
    '-s',
    '/bin/true',
  ]);
  return code === 0;
}

export async function has(host: Host, link: string): Promise<boolean> {
  return (await host.run(['ip', 'link', 'show', 'dev', link])).code === 0;
}
