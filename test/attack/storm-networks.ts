/** The networks of the storm: stores of their own and shared ones, bridges of their own and a shared one. */
import type { CniCall } from '../kernel/harness.ts';
import { REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
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

export const NETWORKS: readonly object[] = [
  { name: 'alpha', ipam: pool(1, 2, 250) },
  { name: 'beta', bridge: 'quay', ipam: pool(2, 10, 100) },
  { name: 'gamma', bridge: 'quay', ipam: pool(2, 110, 200, { dataDir: STORES[1] }) },
  { name: 'delta', ipam: pool(4, 2, 250, { dataDir: STORES[2] }) },
  { name: 'chosen' },
];

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
    runtimeConfig: runtimeConfig(containerId, index),
  };
  const config = { ...common, ...NETWORKS[index], ...more };
  return { config, containerId, ifname, path: REFERENCE_PLUGINS, ...(netns ? { netns } : {}) };
}
