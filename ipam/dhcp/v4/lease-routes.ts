/** The routes that a server gives: options 121 and 249 overrule 33 and 3 (RFC 3442). */
import { formatPrefix, networkOf, parsePrefix } from '../../../lib/base/ip.ts';
import type { LeasedRoute } from '../lease.ts';
import { classLength, isHostAddress } from './host-address.ts';
import {
  CLASSLESS_ROUTES,
  MS_CLASSLESS_ROUTES,
  ROUTERS,
  STATIC_ROUTES,
  soundOption,
} from './options/known.ts';
import type { Options } from './options/known.ts';
import type { StaticRoute } from './options/static-routes.ts';

const DEFAULT = '0.0.0.0/0';

/** RFC 2132, section 5.8: no default route; a destination that is no network of its class is a host. */
function classfulRoute({ destination, router }: StaticRoute): LeasedRoute[] {
  if (!isHostAddress(destination) || !isHostAddress(router)) return [];
  const prefix = parsePrefix(`${destination}/${classLength(destination)}`);
  const isNetwork = networkOf(prefix).address.value === prefix.address.value;
  return [{ dst: isNetwork ? formatPrefix(prefix) : `${destination}/32`, gw: router }];
}

/** The first one to each destination. */
function distinct(routes: readonly LeasedRoute[]): LeasedRoute[] {
  return [...new Map(routes.toReversed().map((route) => [route.dst, route])).values()].toReversed();
}

export interface Routing {
  readonly routes: readonly LeasedRoute[];
  /** Of the default route. */
  readonly gateway?: string;
}

/**
 * All routes, the default one among them. Routers that no host can be, and `own`, the client's address, do not count.
 */
export function leaseRoutes(options: Options, own: string): Routing {
  const isRouter = (address: string): boolean => isHostAddress(address) && address !== own;
  const classless = soundOption(options, CLASSLESS_ROUTES) ?? soundOption(options, MS_CLASSLESS_ROUTES);
  const router = soundOption(options, ROUTERS)?.find(isRouter);
  const told = classless ?? [
    ...(soundOption(options, STATIC_ROUTES) ?? []).flatMap(classfulRoute),
    ...(router === undefined ? [] : [{ dst: DEFAULT, gw: router }]),
  ];
  const routes = distinct(told.filter(({ gw }) => gw === undefined || isRouter(gw)));
  const gateway = routes.find(({ dst }) => dst === DEFAULT)?.gw;
  return gateway === undefined ? { routes } : { routes, gateway };
}
