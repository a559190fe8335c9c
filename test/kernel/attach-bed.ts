/** The `netmoor` command in a private host, with networks to choose from. */
import { OWN_PLUGINS, REFERENCE_PLUGINS } from './harness-cni.ts';
import type { Outcome } from './harness-process.ts';
import { until, without } from './harness.ts';
import type { CniJson, Host, Snapshot } from './harness.ts';

export const NETMOOR = `${OWN_PLUGINS}/netmoor`;

/** One item of `netmoor attach --json`. */
export interface Attached {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly netns: string;
  readonly result: CniJson;
}

export async function netmoor(host: Host, ...args: string[]): Promise<Outcome> {
  return host.run([NETMOOR, ...args]);
}

/** A command that must succeed; what it prints on stdout. */
export async function must(host: Host, ...args: string[]): Promise<string> {
  return host.must([NETMOOR, ...args]);
}

export async function attach(host: Host, ...args: string[]): Promise<Attached[]> {
  return JSON.parse(await must(host, 'attach', '--json', ...args)) as Attached[];
}

export async function detach(host: Host, ...args: string[]): Promise<Attached[]> {
  return JSON.parse(await must(host, 'detach', '--json', ...args)) as Attached[];
}

/** The first address of an attachment, without its prefix length. */
export function addressOf(attached: Attached | undefined, family: 4 | 6 = 4): string {
  const ips = attached?.result.ips ?? [];
  const wanted = ips.find(({ address }) => address.includes(':') === (family === 6));
  return wanted?.address.replace(/\/.*/, '') ?? '';
}

/** Files that stay: the store, the native module, the directory of results, the map of names. */
const STAYING = /^\S \/((var\/lib\/cni\/netmoor|run\/netmoor)(\/.*)?|var\/lib\/cni\/results|run\/netns)$/;

/** The files of host-local and the chains of portmap, which stay after their last container. */
const REFERENCE = /^\S \/(var\/lib\/cni\/networks|run\/xtables)/;

/** For `withHost`: forwarding stays on once a network needed it, and with it come the kernel's anycast routes. */
export const FORWARDING = {
  prepare: 'echo 1 > /proc/sys/net/ipv4/ip_forward\necho 1 > /proc/sys/net/ipv6/conf/all/forwarding\n',
};

/** Addresses are being looked for duplicates of; their routes come afterwards. */
async function isSettled(host: Host): Promise<boolean> {
  const tentative =
    'ip -6 address show tentative\nfor name in $(ip netns list | cut -d" " -f1); do ip -n $name -6 address show tentative; done';
  return (await host.shell(tentative)) === '';
}

/** A whole dump of the host, but for what is meant to stay. */
export async function stateOf(host: Host): Promise<Snapshot> {
  await until(() => isSettled(host), 'duplicate address detection is over');
  const ignoreFiles = new RegExp(`${STAYING.source}|${REFERENCE.source}`);
  return without(await host.snapshot({ ignoreFiles }), 'sysctls');
}

/** What the reference's plugins leave of a network: an empty bridge, and chains without rules for containers. */
export function withoutReference(state: Snapshot): Snapshot {
  return without(state, 'links', 'addresses', 'routes4', 'routes6', 'queueing', 'nft');
}

function list(name: string, ...plugins: Record<string, unknown>[]): string {
  return JSON.stringify({ cniVersion: '1.0.0', name, plugins });
}

function hostLocal(subnet: string): Record<string, unknown> {
  return { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] };
}

/** Bridge and portmap of the reference. */
export const reference = list(
  'reference',
  { type: 'bridge', bridge: 'br-ref', isGateway: true, ipMasq: true, ipam: hostLocal('10.81.0.0/24') },
  { type: 'portmap', capabilities: { portMappings: true } },
);

/** Ours, then a plugin of the reference. */
export const mixed = list(
  'mixed',
  {
    type: 'bridge-nat',
    ipam: { subnet: '10.82.0.0/24' },
    capabilities: { portMappings: true, ips: true, mac: true },
  },
  { type: 'tuning', sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' } },
);

export const back = list('back', {
  type: 'bridge-nat',
  ipam: { subnet: '10.83.0.0/24' },
  capabilities: { ips: true },
});

/** A plugin that is a shell script; `$CNI_COMMAND` and the rest are in its environment, the configuration on stdin. */
export function scripted(host: Host, type: string, script: string): void {
  host.write(`/opt/cni/bin/${type}`, `#!/bin/sh\n${script}\n`, 0o755);
}

/** Ours, then one of the scripts. */
export function endingIn(name: string, type: string): string {
  return list(name, { type: 'bridge-nat', ipam: { subnet: '10.84.0.0/24' } }, { type });
}

export function define(host: Host, lists: Readonly<Record<string, string>>): void {
  for (const [file, content] of Object.entries(lists)) host.write(`/etc/cni/net.d/${file}.conflist`, content);
}

/** The path that knows the scripts, our executables and the reference's. */
export const PATHS = ['--cni-path', `/opt/cni/bin:${REFERENCE_PLUGINS}`];
