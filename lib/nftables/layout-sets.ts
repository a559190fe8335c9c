/**
 * The sets of the tables "inet netmoor" and "bridge netmoor". Their elements are all that a container or a network
 * costs: no packet and no ADD walks a list of containers.
 */
import type { TypeName } from './types.ts';
import { NFPROTO_BRIDGE, NFPROTO_INET } from './message.ts';

export interface SetPlan {
  readonly family: number;
  readonly key: readonly TypeName[];
  readonly data?: readonly TypeName[];
  readonly interval?: boolean;
  /** Whose its elements are: one attachment's, or those of everything on a bridge. */
  readonly of: 'attachment' | 'bridge';
}

type More = Partial<Pick<SetPlan, 'data' | 'interval'>>;

const plan =
  (family: number, of: SetPlan['of'], more: More = {}) =>
  (...key: readonly TypeName[]): SetPlan => ({ family, of, key, ...more });

const attachment = plan(NFPROTO_INET, 'attachment');
const leadingTo = (...data: readonly TypeName[]) => plan(NFPROTO_INET, 'attachment', { data });
const bridge = plan(NFPROTO_INET, 'bridge');
const framed = plan(NFPROTO_BRIDGE, 'attachment');

/**
 * Intervals cost more the more there are of them (the kernel copies the set to change it): bridges have some, and of
 * attachments those that publish ranges of ports, or on conditions.
 */
const intervals = plan(NFPROTO_INET, 'bridge', { interval: true });
const ranges = (...data: readonly TypeName[]) =>
  plan(NFPROTO_INET, 'attachment', { interval: true, ...(data.length > 0 && { data }) });

const SERVICE = ['inet_proto', 'inet_service'] as const;

export const SETS = {
  /** Masqueraded behind whichever interface, and behind one alone. */
  masq4: attachment('ipv4_addr'),
  masq6: attachment('ipv6_addr'),
  masq4_via: attachment('ipv4_addr', 'ifname'),
  masq6_via: attachment('ipv6_addr', 'ifname'),
  /** The same with an address of one's own instead of the interface's. */
  snat4: leadingTo('ipv4_addr')('ipv4_addr'),
  snat6: leadingTo('ipv6_addr')('ipv6_addr'),
  snat4_via: leadingTo('ipv4_addr')('ipv4_addr', 'ifname'),
  snat6_via: leadingTo('ipv6_addr')('ipv6_addr', 'ifname'),
  publish4: leadingTo('ipv4_addr', 'inet_service')(...SERVICE),
  publish6: leadingTo('ipv6_addr', 'inet_service')(...SERVICE),
  publish4_host: leadingTo('ipv4_addr', 'inet_service')('ipv4_addr', ...SERVICE),
  publish6_host: leadingTo('ipv6_addr', 'inet_service')('ipv6_addr', ...SERVICE),
  /** Several ports to the same ones of the container. */
  publish4_range: ranges('ipv4_addr')('ipv4_addr', ...SERVICE),
  publish6_range: ranges('ipv6_addr')('ipv6_addr', ...SERVICE),
  /** Published for packets alone that are in the sets below: whose source, and interface, fit. */
  conditional4: ranges()('ipv4_addr', ...SERVICE),
  conditional6: ranges()('ipv6_addr', ...SERVICE),
  met4: ranges()('ipv4_addr', ...SERVICE, 'ipv4_addr'),
  met6: ranges()('ipv6_addr', ...SERVICE, 'ipv6_addr'),
  met4_via: ranges()('ipv4_addr', ...SERVICE, 'ipv4_addr', 'ifname'),
  met6_via: ranges()('ipv6_addr', ...SERVICE, 'ipv6_addr', 'ifname'),
  /** Public addresses that are one container's with all their ports. */
  one4: leadingTo('ipv4_addr')('ipv4_addr'),
  one6: leadingTo('ipv6_addr')('ipv6_addr'),
  bridges: bridge('ifname'),
  inside4: intervals('ifname', 'ipv4_addr'),
  inside6: intervals('ifname', 'ipv6_addr'),
  guarded: bridge('ifname'),
  same_bridge: bridge('ifname', 'ifname'),
  /** Bridges that other networks do not reach, and from which to which they do nevertheless. */
  apart: bridge('ifname'),
  joined: bridge('ifname', 'ifname'),
  /** Bridges into which redirected packets keep their source, and into which none does. */
  no_snat: bridge('ifname'),
  masq_all: bridge('ifname'),
  /** Bridges that have ways out of their own, and those. */
  egress: bridge('ifname'),
  egress_via: intervals('ifname', 'ifname'),
  /** Bridges whose TCP and DNS a proxy of the host takes, and where it listens. */
  proxied: bridge('ifname'),
  tcp_proxy4: plan(NFPROTO_INET, 'bridge', { data: ['ipv4_addr', 'inet_service'] })('ifname'),
  tcp_proxy6: plan(NFPROTO_INET, 'bridge', { data: ['ipv6_addr', 'inet_service'] })('ifname'),
  dns_proxy4: plan(NFPROTO_INET, 'bridge', { data: ['ipv4_addr', 'inet_service'] })('ifname'),
  dns_proxy6: plan(NFPROTO_INET, 'bridge', { data: ['ipv6_addr', 'inet_service'] })('ifname'),
  /** Bridges that the host itself is guarded from, but for what is below. */
  host_guarded: bridge('ifname'),
  host_protocols: bridge('ifname', 'inet_proto'),
  host_services: intervals('ifname', ...SERVICE),
  checked: framed('ifname'),
  macs: framed('ifname', 'ether_addr'),
  isolated: framed('ifname'),
  /** The containers' ends: no router and no DHCP server is behind them. */
  containers: framed('ifname'),
  /** Those behind which there are no addresses but these. */
  bound: framed('ifname'),
  bound4: framed('ifname', 'ipv4_addr'),
  bound6: framed('ifname', 'ipv6_addr'),
  bound_targets6: framed('ifname', 'nd_target'),
} as const satisfies Record<string, SetPlan>;
