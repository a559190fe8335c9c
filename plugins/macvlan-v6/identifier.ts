/** What the lower half of addresses is made of (RFC 4291, RFC 7217, or as given). */
import { isErrno } from '../../lib/base/errors.ts';
import { inet6Change } from '../../lib/netlink/inet6.ts';
import type { Link } from '../../lib/netlink/link-message.ts';
import { inNetns } from '../../lib/system/netns.ts';
import { ensureSysctl, writeSysctl } from '../../lib/system/sysctl.ts';
import { stableSecretFor, whoseOf } from './names.ts';
import type { Work } from './work.ts';

/**
 * How the kernel is to make addresses, said before the interface is raised; where routers are not believed, of the
 * link-local one alone. The namespace may have been made to prefer something else (net.ipv6.conf.default).
 */
export function chooseIdentifier({ request, sandbox }: Work, { index, name }: Link): void {
  const { config, key, netns } = request;
  const { identifier, machine, slaac } = config;
  if (slaac && identifier === 'stable-privacy') {
    const secret = stableSecretFor(machine, whoseOf(key, config));
    // It cannot be read as long as there is none; writing it chooses RFC 7217 as well.
    inNetns(netns, () => writeSysctl(secret, 'net', 'ipv6', 'conf', name, 'stable_secret'));
    return;
  }
  const token = slaac && typeof identifier !== 'string' ? { token: identifier } : {};
  // The kernel takes one only where routers are believed, and asked.
  if (token.token !== undefined) inNetns(netns, () => believeRouters(name));
  const op = `choose how ${name} gets its IPv6 addresses`;
  try {
    // Not by sysctl, which would make the link-local address at once: the kernel asks no routers then
    // (addrconf_rs_timer).
    sandbox.route.request(inet6Change(index, { addressGeneration: 'eui64', ...token }, op));
  } catch (error) {
    // Without IPv6 there is nothing to choose, which is said where it is wanted.
    if (!isErrno(error, 'EAFNOSUPPORT', 'EOPNOTSUPP')) throw error;
  }
}

function believeRouters(name: string): void {
  ensureSysctl('2', 'net', 'ipv6', 'conf', name, 'accept_ra');
  ensureSysctl('-1', 'net', 'ipv6', 'conf', name, 'router_solicitations');
}
