/** What the tables say of translated addresses, as a record keeps it: for a record that was lost. */
import { formatAddress, sameAddress } from '../../../lib/base/ip.ts';
import type { Sockets } from '../../../lib/mooring/host.ts';
import type { SetElement } from '../../../lib/nftables/element.ts';
import { redirectedSourceIn } from '../../../lib/nftables/holdings.ts';
import type { Holdings } from '../../../lib/nftables/holdings.ts';
import { answeringInterfaces } from './answering.ts';
import { compactNat, conditionRecord } from './record.ts';
import type { NatDetail } from './record.ts';

function distinct<T>(values: readonly T[]): T[] {
  const byText = new Map(values.map((value) => [JSON.stringify(value), value]));
  return [...byText.values()];
}

/** The one family that is masqueraded, of two that the container has. */
function onlyFamily(
  { masquerade, sources, oneToOne }: Holdings,
  families: ReadonlySet<4 | 6>,
): NatDetail['family'] {
  const masqueraded = new Set([
    ...masquerade.map(({ family }) => family),
    ...sources.filter(({ to }) => to === undefined).map(({ address }) => address.family),
  ]);
  const told = new Set([
    ...masqueraded,
    ...sources.map(({ address }) => address.family),
    ...oneToOne.map(({ container }) => container.family),
  ]);
  const [only] = masqueraded;
  // Of a family of which nothing tells, it may be that it is not masqueraded.
  return masqueraded.size === 1 && families.size === 2 && told.size === 1 ? only : undefined;
}

/** `families`: of the container's addresses; `shared`: the elements of its bridge. */
export function natFrom(
  host: Sockets,
  holdings: Holdings,
  shared: readonly SetElement[],
  segment: string,
  families: ReadonlySet<4 | 6>,
): NatDetail | undefined {
  const pairs = holdings.oneToOne.map((pair) => {
    const answeredOn = answeringInterfaces(host, pair.public);
    return {
      public: formatAddress(pair.public),
      container: formatAddress(pair.container),
      ...(answeredOn.length > 0 ? { answeredOn } : {}),
    };
  });
  const sources = holdings.sources.flatMap(({ to }) => (to ? [formatAddress(to)] : []));
  return compactNat({
    family: onlyFamily(holdings, families),
    sources: distinct(sources),
    uplinks: distinct(holdings.sources.flatMap(({ uplinks = [] }) => uplinks)),
    oneToOne: pairs,
    redirectedSource: redirectedSourceIn(segment, shared),
    conditions: distinct(
      holdings.forwards.flatMap(({ container: { family }, hostIp, only = [] }) =>
        only.map(({ destination, ...rest }) => {
          // That of the port itself is no condition.
          const own = destination && hostIp && sameAddress(destination.first, hostIp);
          return conditionRecord(family, { ...rest, ...(destination && !own ? { destination } : {}) });
        }),
      ),
    ),
  });
}
