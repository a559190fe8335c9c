/** The key `sbr`: source-based routing (route-by-source.ts) as it is asked for. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { formatAddress, parseAddress } from '../../../lib/base/ip.ts';
import { DHCP_IPAM } from '../../../lib/mooring/ipam-type.ts';
import type { IpamChoice } from '../../../lib/mooring/ipam.ts';
import type { BridgeNatInput } from '../../../schemas/compiled/bridge-nat.js';
import type { BridgeNatDetail } from '../../../schemas/compiled/bridge-nat-detail.js';

export type SourceRouting = NonNullable<BridgeNatDetail['sourceRouting']>;

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

function readGateways(gateways: readonly string[]): string[] {
  const read = gateways.map((text) => {
    try {
      return parseAddress(text);
    } catch (cause) {
      throw new NetmoorError(
        'bad-config',
        `sbr.gateways: ${JSON.stringify(text)} is no address`,
        'correct it',
        {
          cause,
        },
      );
    }
  });
  if (read.length === 2 && read[0]?.family === read[1]?.family)
    refuse('sbr.gateways: both are of the same family', 'give at most one of each');
  return read.map(formatAddress);
}

/** undefined: not wanted. Throws NetmoorError('bad-config'). */
export function readSourceRouting({ sbr }: BridgeNatInput, ipam: IpamChoice): SourceRouting | undefined {
  if (sbr === undefined || sbr === false) return undefined;
  if (ipam.kind === 'none')
    refuse('sbr: a network without addresses has no sources', 'remove one of the two');
  if (ipam.kind === 'delegated' && ipam.type === DHCP_IPAM)
    refuse(
      'sbr excludes dhcp-ipam, whose servers and routers may change addresses and routes at any time',
      'chain the reference plugin "sbr" behind this one, or give the addresses otherwise',
    );
  const { table, gateways = [], addSourceHints = false } = sbr === true ? {} : sbr;
  if (table !== undefined && (gateways.length > 0 || addSourceHints))
    refuse('sbr: gateways and addSourceHints are of tables of our own', 'remove them, or "table"');
  return {
    ...(table === undefined ? {} : { table }),
    gateways: readGateways(gateways),
    keepSubnets: addSourceHints,
  };
}
