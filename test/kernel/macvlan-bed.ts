/** A host on a LAN with macvlan-v6 on it, in few words. */
import { lacking, withHost, without } from './harness.ts';
import type { CniJson, Host, Place, Reporter, Snapshot } from './harness.ts';
import { Lan, lanWorld } from './lan.ts';
import type { LanOptions } from './lan.ts';
import { Network } from './moorings.ts';
import type { Wish } from './moorings.ts';
import { asked } from './netmoor-command.ts';

export const skip = lacking('radvd', 'tcpdump', 'perl', 'ping') ?? false;

/** Of router advertisements, unless a test says otherwise. */
export const SLAAC = { type: 'macvlan-v6', name: 'lan', master: lanWorld.master };

/** The LAN's own prefix of addresses by netmoor's store. */
export const POOL = { ipam: { ranges: [[{ subnet: 'fd00:50::/64' }]] } };

/** What the plugin answers in its error, by lib/cni/errors.ts. */
export const CODES = {
  config: 7,
  unavailable: 50,
  nameTaken: 100,
  addressTaken: 101,
  checkFailed: 104,
} as const;

export interface Bed {
  readonly host: Host;
  readonly lan: Lan;
}

export async function withLan(
  t: Reporter,
  body: (bed: Bed) => Promise<void>,
  options: LanOptions = {},
): Promise<void> {
  await withHost(t, async (host) => body({ host, lan: await Lan.open(host, options) }));
}

/** The same with a router that has already advertised. */
export async function withRouter(
  t: Reporter,
  body: (bed: Bed & { readonly router: Awaited<ReturnType<Lan['router']>> }) => Promise<void>,
  advertised?: string,
): Promise<void> {
  await withLan(t, async ({ host, lan }) => {
    const router = await lan.router();
    await router.radvd(advertised);
    await body({ host, lan, router });
  });
}

export function network(host: Host, config: Readonly<Record<string, unknown>> = {}): Network {
  return new Network(host, { ...SLAAC, ...config });
}

/** The same after its first attachment has come and gone: what that switched on in the kernel stays on. */
export async function usedNetwork(
  host: Host,
  config: Readonly<Record<string, unknown>> = {},
): Promise<Network> {
  const used = network(host, config);
  await used.container('first');
  await used.del('first');
  await host.removeContainer('first');
  return used;
}

/** What a runtime that tells the container's name calls it by. */
export function named(name: string, namespace?: string): Wish {
  const space = namespace === undefined ? '' : `;K8S_POD_NAMESPACE=${namespace}`;
  return { args: `IgnoreUnknown=1;K8S_POD_NAME=${name}${space}` };
}

/** One IPv6 address as `ip -j address` shows it. */
export interface Inet6 {
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
  readonly temporary?: boolean;
  readonly deprecated?: boolean;
  readonly tentative?: boolean;
  readonly dadfailed?: boolean;
}

export async function inet6(place: Place, scope: 'global' | 'link', ifname = 'eth0'): Promise<Inet6[]> {
  const [link] = await place.ip('-6', 'address', 'show', 'dev', ifname);
  const all = (link?.addr_info ?? []) as unknown as readonly Inet6[];
  return all.filter((address) => address.scope === scope);
}

export function addresses(result: CniJson): string[] {
  return (result.ips ?? []).map(({ address }) => address);
}

/** A refused ADD: the error as the plugin writes it. Throws when it was none. */
export async function refused(network: Network, container: string, wish: Wish = {}): Promise<CniJson> {
  const { code, json, stdout, stderr } = await network.run('ADD', container, wish);
  if (code === 0 || json?.code === undefined) throw new Error(`ADD ${container}: ${stdout}${stderr}`);
  return json;
}

/** Everything but the store's own files, and processes, which daemons on the LAN may have started. */
export async function state(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /netmoor|\/var\/lib\/cni|\/run\/cni/ }), 'processes');
}

/** How many attachments and addresses the store has. */
export async function onRecord(host: Host): Promise<number> {
  const { view: attachments } = await asked(host, 'ls');
  const { view: held } = await asked(host, 'leases');
  return attachments.length + held.leases.length;
}
