/**
 * The networks of the storm: options of their own, stores of their own and shared ones, bridges of their own and a
 * shared one, and a LAN with a router, on which three networks of two stores have one master.
 */
import type { CniCall, Host } from '../kernel/harness.ts';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { Lan, lanWorld } from '../kernel/lan.ts';
import type { Key } from './storm-model.ts';

export const CONTAINERS = Array.from({ length: 25 }, (_, index) => `s${index}`);
export const STORES = ['/var/lib/cni/netmoor', '/opt/leases', '/opt/more'];

function pool(third: number, first: number, last: number, more: object = {}): object {
  const range = (subnet: string, prefix: string, radix: number) => ({
    subnet,
    rangeStart: `${prefix}${first.toString(radix)}`,
    rangeEnd: `${prefix}${last.toString(radix)}`,
  });
  const ranges = [
    [range(`10.90.${third}.0/24`, `10.90.${third}.`, 10)],
    [range(`fd00:90:${third}::/64`, `fd00:90:${third}::`, 16)],
  ];
  return { ranges, ...more };
}

const LEE = 'fd00:90:50::';

/** Two ranges of one subnet, each of its own store: only the kernel knows of both. */
function onLan(name: string, more: object): object {
  return { name, type: 'macvlan-v6', master: lanWorld.master, timeout: 30, ...more };
}

function lee(first: number, last: number, more: object = {}): object {
  const range = { subnet: `${LEE}/64`, rangeStart: `${LEE}${first}`, rangeEnd: `${LEE}${last}` };
  return { ranges: [[range]], ...more };
}

export const NETWORKS: readonly object[] = [
  { name: 'alpha', ingressPolicy: 'isolated', ipam: pool(1, 2, 250) },
  { name: 'beta', bridge: 'quay', ipam: pool(2, 10, 100) },
  { name: 'gamma', bridge: 'quay', macspoofchk: true, ipam: pool(2, 110, 200, { dataDir: STORES[1] }) },
  {
    name: 'delta',
    ingressPolicy: 'same-bridge',
    portIsolation: true,
    ipam: pool(4, 2, 250, { dataDir: STORES[2] }),
  },
  { name: 'chosen', hairpinMode: true, mtu: 1400 },
  onLan('lee', { ipam: lee(10, 99), hostAccess: true }),
  onLan('luff', { ipam: lee(100, 199, { dataDir: STORES[1] }) }),
  onLan('slaac', {}),
];

/** Resolves when the LAN is there, with the gateway of all that are on it. */
export async function openLan(host: Host): Promise<void> {
  const lan = await Lan.open(host);
  const { router4, router6 } = lanWorld;
  const router = await lan.router('router', {
    addresses: [`${router6}/64`, `${router4}/24`, `${LEE}1/64`],
  });
  await router.radvd();
}

export function isOnLan(index: number): boolean {
  return (NETWORKS[index] as { master?: string }).master !== undefined;
}

/** The executable of the network's plugin. */
export function pluginOf(index: number): string {
  const { type = 'bridge-nat' } = NETWORKS[index] as { type?: string };
  return `${OWN_PLUGINS}/${type}`;
}

export function keyOf(containerId: string, index: number): Key {
  const { name = '' } = NETWORKS[index] as { name?: string };
  return { network: name, containerId, ifname: `eth${index}` };
}

/** All of the containers in one network. */
export function keysIn(index: number): Key[] {
  return CONTAINERS.map((containerId) => keyOf(containerId, index));
}

/** A published port that nobody else has, and in one network a limit, which takes an interface more. */
function runtimeConfig(containerId: string, index: number): object {
  const hostPort = 20_000 + 10 * Number(containerId.slice(1)) + index;
  const bandwidth = { ingressRate: 8e8, ingressBurst: 8e7, egressRate: 8e8, egressBurst: 8e7 };
  return {
    portMappings: [{ hostPort, containerPort: 80, protocol: index % 2 === 0 ? 'udp' : 'tcp' }],
    ...(index === 3 ? { bandwidth } : {}),
  };
}

export function callOf(containerId: string, index: number, netns: string, more: object = {}): CniCall {
  const { ifname } = keyOf(containerId, index);
  const common = {
    cniVersion: '1.1.0',
    type: 'bridge-nat',
    ...(isOnLan(index) ? {} : { runtimeConfig: runtimeConfig(containerId, index) }),
  };
  const config = { ...common, ...NETWORKS[index], ...more };
  return { config, containerId, ifname, path: REFERENCE_PLUGINS, ...(netns ? { netns } : {}) };
}
