/** What an egress leaves to the host, and what about the host stands in its way. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { listLinks } from '../../../lib/netlink/link.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { requireRouter } from './config.ts';
import type { EgressConfig } from './config.ts';
import { fits, isPointToPoint } from './plan.ts';
import { chooseTable } from './stand.ts';

interface Config {
  readonly isGateway: boolean;
  readonly egress?: EgressConfig | undefined;
}

function refuseBlindly(route: NetlinkSocket, { interfaces, via }: EgressConfig, bridge: string): void {
  const links = listLinks(route).filter(({ name }) => interfaces.some((pattern) => fits(pattern, name)));
  const own = links.find(({ name }) => name === bridge);
  const shared = links.find((link) => !isPointToPoint(link));
  if (own !== undefined)
    throw new NetmoorError(
      'bad-config',
      `egress: ${bridge} is the network's own bridge`,
      'name the interface that leads out',
    );
  if (shared !== undefined && via.length === 0)
    throw new NetmoorError(
      'bad-config',
      `egress: ${shared.name} is no point-to-point interface, and nobody says who is the gateway behind it`,
      'add "via" with its address, of each family that is to leave',
    );
}

/** The egress with its routing table. Throws NetmoorError. */
export function completeEgress(
  route: NetlinkSocket,
  { isGateway, egress }: Config,
  bridge: string,
): EgressConfig | undefined {
  if (egress === undefined) return undefined;
  requireRouter(isGateway, bridge);
  refuseBlindly(route, egress, bridge);
  return { ...egress, table: chooseTable(route, bridge, egress) };
}
