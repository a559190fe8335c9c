/**
 * The questions every runtime's container must answer.
 */
import type { Test } from 'tap';
import { ask, serve, world } from '../kernel/harness.ts';
import type { Background } from '../kernel/harness-process.ts';
import type { Host, Place } from '../kernel/harness.ts';

/** Servers on tcp/80 and udp/53 of both families; returns what stops them. */
export async function serveAll(place: Place): Promise<() => Promise<void>> {
  const servers: Background[] = [];
  for (const address of ['0.0.0.0', '::']) {
    servers.push(await serve(place, 'tcp', 80, { address }), await serve(place, 'udp', 53, { address }));
  }
  return async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
}

/** The world outside answers, and sees the host's addresses. */
export async function reachesOutside(t: Test, container: Place): Promise<void> {
  t.equal((await ask(container, 'tcp', world.internet4, 80))?.peer, world.host4, 'out by NAT over IPv4');
  t.equal((await ask(container, 'tcp', world.internet6, 80))?.peer, world.host6, 'out by NAT over IPv6');
}

/** Host port tcp/8080 leads to the container of that name, wherever it is asked from. */
export async function isPublishedTcp(t: Test, host: Host, name: string): Promise<void> {
  t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, name, 'tcp from outside');
  t.equal((await ask(host.outside, 'tcp', world.host6, 8080))?.from, name, 'tcp over IPv6 from outside');
  t.equal((await ask(host, 'tcp', world.host4, 8080))?.from, name, 'tcp from the host by its address');
  t.equal((await ask(host, 'tcp', '127.0.0.1', 8080))?.from, name, 'tcp from the host by 127.0.0.1');
}

/**
 * So does udp/5353. Not for a container with two default routes: its datagrams leave with the address of the interface
 * that the kernel prefers, which need not be the one that was asked.
 */
export async function isPublished(t: Test, host: Host, name: string): Promise<void> {
  await isPublishedTcp(t, host, name);
  t.equal((await ask(host.outside, 'udp', world.host4, 5353))?.from, name, 'udp from outside');
}

/** Nobody answers on the published port any more. */
export async function isNotPublished(t: Test, host: Host): Promise<void> {
  t.equal(await ask(host.outside, 'tcp', world.host4, 8080), undefined, 'no longer published');
}

/** The global addresses of an interface, "10.0.0.2/24" as `ip` has them. */
export async function addressesOf(place: Place, ifname: string): Promise<string[]> {
  const [link] = await place.ip('address', 'show', 'dev', ifname);
  const global = (link?.addr_info ?? []).filter((address) => address.scope === 'global');
  return global.map((address) => `${address.local}/${address.prefixlen}`);
}
