/**
 * The runtime tests run with our plugin or, as a check on the tests themselves, with the reference chain that it
 * replaces (NETMOOR_FLAVOUR=bridge): what fails with both is the environment's fault.
 */
import { existsSync, readdirSync } from 'node:fs';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import type { PluginConfig } from '../kernel/harness-chain.ts';
import { until } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';

export interface NetworkPlan {
  readonly name: string;
  readonly bridge: string;
  readonly subnet4: string;
  readonly subnet6: string;
  readonly cniVersion?: string;
  /** Whether ports are published through this network; default true. */
  readonly publishes?: boolean;
}

export interface Flavour {
  readonly name: string;
  /** The type of the chain's first plugin. */
  readonly type: string;
  /**
   * Whether everything is as before when the last container is gone; the reference leaves bridges, chains and files.
   */
  readonly exact: boolean;
  /** The chain that gives address, NAT and published ports. */
  plugins(plan: NetworkPlan): readonly PluginConfig[];
  /**
   * Resolves when addresses can be used: the reference leaves the bridge's to duplicate address detection, ours are
   * ready at once.
   */
  settled(host: Host): Promise<void>;
  /** How many addresses are held at the moment, over all networks. */
  held(host: Host): Promise<number>;
}

function bridgeConfig(type: string, plan: NetworkPlan): PluginConfig {
  return {
    type,
    bridge: plan.bridge,
    isGateway: true,
    ipMasq: true,
    hairpinMode: true,
    ipam: {
      type: 'host-local',
      ranges: [[{ subnet: plan.subnet4 }], [{ subnet: plan.subnet6 }]],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    },
  };
}

export const reference: Flavour = {
  name: 'reference chain',
  type: 'bridge',
  exact: false,
  plugins: (plan) => [
    bridgeConfig('bridge', plan),
    ...(plan.publishes === false ? [] : [{ type: 'portmap', capabilities: { portMappings: true } }]),
    { type: 'firewall' },
  ],
  settled: async (host) => {
    const tentative = () => host.must(['ip', '-6', '-oneline', 'address', 'show', 'tentative']);
    await until(async () => (await tentative()) === '', 'addresses settled');
  },
  held: async (host) => {
    const root = host.path('/var/lib/cni/networks');
    const files = existsSync(root) ? (readdirSync(root, { recursive: true }) as string[]) : [];
    return files.filter((file) => /\/[0-9a-f.:]*[.:][0-9a-f]+$/.test(file)).length;
  },
};

export const own: Flavour = {
  name: 'bridge-nat',
  type: 'bridge-nat',
  exact: true,
  plugins: (plan) => {
    const { ipam, ...rest } = bridgeConfig('bridge-nat', plan);
    // The reference's own configuration with the type changed; the pool is ours then, in process.
    const pool = { ...(ipam as object), type: 'netmoor' };
    return [{ ...rest, ipam: pool, capabilities: { portMappings: plan.publishes !== false, ips: true } }];
  },
  settled: async () => {},
  held: async (host) => {
    const text = await host.must([`${OWN_PLUGINS}/netmoor`, 'leases', '--json']);
    return (JSON.parse(text) as { readonly leases: readonly unknown[] }).leases.length;
  },
};

/** Ours, or the one whose first plugin's type NETMOOR_FLAVOUR names, or with "all" both. */
export function flavours(): readonly Flavour[] {
  const wanted = process.env['NETMOOR_FLAVOUR'] ?? own.type;
  return [own, reference].filter((flavour) => wanted === 'all' || flavour.type === wanted);
}

/** Writes the network's conflist and returns its path inside the host. */
export function writeConflist(
  host: Host,
  flavour: Flavour,
  plan: NetworkPlan,
  ...further: PluginConfig[]
): string {
  const path = `/etc/cni/net.d/10-${plan.name}.conflist`;
  const plugins = [...flavour.plugins(plan), ...further];
  host.write(
    path,
    JSON.stringify({ cniVersion: plan.cniVersion ?? '0.4.0', name: plan.name, plugins }, undefined, 2),
  );
  return path;
}

export const PLUGIN_PATH = [OWN_PLUGINS, REFERENCE_PLUGINS];

export const networks = {
  net1: { name: 'net1', bridge: 'br-one', subnet4: '10.71.0.0/24', subnet6: 'fd71::/64' },
  net2: { name: 'net2', bridge: 'br-two', subnet4: '10.72.0.0/24', subnet6: 'fd72::/64' },
} as const satisfies Record<string, NetworkPlan>;
