/**
 * The keys of the reference tuning plugin, with its meanings and precedence: settings of the kernel below net. in the
 * container, and attributes of the interface (tune.ts). Its MAC address is bridge-nat's own matter (config.ts).
 */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { quote } from '../../../lib/cni/quote.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';
import type { BridgeNatDetail } from '../../../schemas/compiled/bridge-nat-detail.js';

export type Tuning = NonNullable<BridgeNatDetail['tuning']>;
type Setting = Tuning['sysctl'][number];

/** "net.ipv4.conf.IFNAME.arp_filter" or with slashes; the same path below /proc/sys as the reference makes of it. */
function pathOf(key: string): string {
  const parts = key.split(/[./]/).filter((part) => part !== '');
  if (parts[0] === 'net' && parts.length > 1) return parts.join('/');
  throw new NetmoorError(
    'bad-config',
    `sysctl ${quote(key)} is not one of the network`,
    'settings below "net." alone belong to a network namespace; give the others to the container runtime',
  );
}

function readSettings(...sources: (Readonly<Record<string, string>> | undefined)[]): Setting[] {
  const settings = new Map<string, string>();
  for (const source of sources) {
    const spelled = new Set<string>();
    for (const [written, value] of Object.entries(source ?? {})) {
      const key = pathOf(written);
      if (spelled.has(key))
        throw new NetmoorError(
          'bad-config',
          `sysctl ${quote(written)} is there twice`,
          'remove one of the two',
        );
      spelled.add(key);
      settings.set(key, value);
    }
  }
  return [...settings].map(([key, value]) => ({ key, value }));
}

/**
 * The keys of the config, and those of `args.cni` over them; undefined when nothing is to be tuned. An MTU comes from
 * `args.cni` alone: the key of the config is that of bridge and veth. Throws NetmoorError('bad-config').
 */
export function readTuning(input: BridgeNatInput): Tuning | undefined {
  const args = input.args?.cni ?? {};
  const { promisc, allmulti, txQLen } = { ...input, ...args };
  const sysctl = readSettings(input.sysctl, args.sysctl);
  const tuning: Tuning = {
    sysctl,
    ...(args.mtu && { mtu: args.mtu }),
    // As in the reference, false leaves it alone.
    ...(promisc && { promisc }),
    ...(allmulti !== undefined && { allmulti }),
    ...(txQLen !== undefined && { txQLen }),
  };
  return sysctl.length > 0 || Object.keys(tuning).length > 1 ? tuning : undefined;
}
