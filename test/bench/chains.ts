/**
 * Who is compared where containers come to a bridge: the chain of Debian's reference plugins, where a directory is
 * given that of newer ones with their nftables backends, bridge-nat as a one-shot executable, and with the launcher and
 * the engine. `full` gives a container an IPv4 address, NAT and one published port; `plain` an address and the bridge.
 */
import { fileURLToPath } from 'node:url';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from '../kernel/harness-cni.ts';
import { LAUNCHED } from '../kernel/launcher-bed.ts';
import type { Who } from './figures.ts';

export type Config = Readonly<Record<string, unknown>>;
export type Network = 'full' | 'plain';
export type Plugins = readonly (Config & { readonly type: string })[];

export interface Chain {
  readonly who: Who;
  /** The plugins' directory in the host. */
  readonly directory: string;
  /** The first plugin. */
  readonly main: string;
  /** What has to be there on the machine. */
  readonly executables: readonly string[];
  readonly plugins: Readonly<Record<Network, Plugins>>;
  /**
   * What the first plugin must be told for its bridge to stay behind the last container: the reference's always does.
   */
  readonly keepBridge: Config;
  /** Types of plugins whose CHECK cannot succeed here. */
  readonly uncheckable?: readonly string[];
  /** The directory is the launcher's, and an engine runs in the host. */
  readonly engine?: boolean;
  /** The words of a program that takes the place of all plugins, and needs netmoor's bridge and tables. */
  readonly floor?: (command: string, number: number) => readonly string[];
}

const LAUNCHER = fileURLToPath(new URL('../../dist/build/launcher', import.meta.url));

const bridge = { bridge: 'br-bench', isGateway: true, ipMasq: true, hairpinMode: true };
const pool = { ranges: [[{ subnet: '10.70.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] };
const plainBridge = { bridge: 'br-plain', isGateway: true };
const plainPool = { ranges: [[{ subnet: '10.71.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] };

/** The bridge of the full network, and its address there. */
export const FULL = { bridge: bridge.bridge, gateway: '10.70.0.1' };

function referencePlugins(masquerade: Config, portmap: Config): Chain['plugins'] {
  return {
    full: [
      { type: 'bridge', ...bridge, ...masquerade, ipam: { type: 'host-local', ...pool } },
      { type: 'portmap', ...portmap, capabilities: { portMappings: true } },
      { type: 'firewall' },
    ],
    plain: [{ type: 'bridge', ...plainBridge, ipam: { type: 'host-local', ...plainPool } }],
  };
}

export const referenceChain: Chain = {
  who: 'reference',
  directory: REFERENCE_PLUGINS,
  main: 'bridge',
  executables: ['bridge', 'host-local', 'portmap', 'firewall'].map((name) => `${REFERENCE_PLUGINS}/${name}`),
  plugins: referencePlugins({}, {}),
  keepBridge: {},
  // Before 1.4 it asks ip6tables, too, about a container that has no IPv6 (plugins/meta/portmap/portmap.go).
  uncheckable: ['portmap'],
};

/** Its firewall plugin knows no backend but iptables and firewalld (1.9). */
function newestChain(directory: string): Chain {
  return {
    who: 'newest',
    directory,
    main: 'bridge',
    executables: ['bridge', 'host-local', 'portmap', 'firewall'].map((name) => `${directory}/${name}`),
    plugins: referencePlugins({ ipMasqBackend: 'nftables' }, { backend: 'nftables' }),
    keepBridge: {},
  };
}

export const oneShotChain: Chain = {
  who: 'one-shot',
  directory: OWN_PLUGINS,
  main: 'bridge-nat',
  executables: [`${OWN_PLUGINS}/bridge-nat`],
  plugins: {
    full: [
      {
        type: 'bridge-nat',
        ...bridge,
        ipam: { type: 'netmoor', ...pool },
        capabilities: { portMappings: true },
      },
    ],
    plain: [{ type: 'bridge-nat', ...plainBridge, ipMasq: false, ipam: { type: 'netmoor', ...plainPool } }],
  },
  keepBridge: { keepBridge: true },
};

export const engineChain: Chain = {
  ...oneShotChain,
  who: 'engine',
  directory: LAUNCHED,
  executables: [LAUNCHER, `${OWN_PLUGINS}/netmoor`],
  engine: true,
};

/** What the kernel alone takes; `program` is floor.c, compiled. */
export function floorChain(program: string): Chain {
  const words = (command: string, number: number): string[] => [
    program,
    command,
    `/run/netns/c${number}`,
    String(number),
    FULL.bridge,
    FULL.gateway,
  ];
  return { ...oneShotChain, who: 'floor', floor: words };
}

/** Those that are plugins; the newest reference where CNI_REFERENCE_PATH is its directory. */
export function pluginChains(): readonly Chain[] {
  const newest = process.env['CNI_REFERENCE_PATH'];
  return [referenceChain, ...(newest ? [newestChain(newest)] : []), oneShotChain, engineChain];
}
