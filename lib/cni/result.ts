/**
 * The success result of ADD (CNI specification 1.1.0, section 5), addresses checked and in canonical form.
 * `decode-result.ts` reads every version's shape, `encode-result.ts` writes exactly that of one version.
 */

export interface CniInterface {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  /** CNI_NETNS for an interface of the container; absent for one of the host. */
  readonly sandbox?: string;
  readonly socketPath?: string;
  readonly pciID?: string;
}

export interface CniIp {
  /** "10.1.0.2/16" */
  readonly address: string;
  readonly gateway?: string;
  /** Index into `interfaces`; IPAM results have none. */
  readonly interface?: number;
}

export interface CniRoute {
  /** "0.0.0.0/0" */
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  /** As in rtnetlink: 0 global, 253 link, 254 host. */
  readonly scope?: number;
}

export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  readonly dns: Dns;
}

export const EMPTY_RESULT: CniResult = { interfaces: [], ips: [], routes: [], dns: {} };

/** A copy without members that are undefined, empty strings or empty lists: what Go's `omitempty` leaves out. */
export function compact<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  const kept = Object.entries(members).filter(
    ([, value]) => value !== undefined && value !== '' && !isEmptyList(value),
  );
  return Object.fromEntries(kept) as T;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A dns object without its empty members. */
export function compactDns(dns: { readonly [Key in keyof Dns]?: Dns[Key] | undefined }): Dns {
  const { nameservers, domain, search, options } = dns;
  return compact<Dns>({ nameservers, domain, search, options });
}

/** What a chained plugin answers: the previous result, ours after it; our dns when it says anything. */
export function mergeResults(previous: CniResult, ours: CniResult): CniResult {
  const shift = previous.interfaces.length;
  const shifted = ours.ips.map((ip) =>
    ip.interface === undefined ? ip : { ...ip, interface: ip.interface + shift },
  );
  const dns = compactDns(ours.dns);
  return {
    interfaces: [...previous.interfaces, ...ours.interfaces],
    ips: [...previous.ips, ...shifted],
    routes: [...previous.routes, ...ours.routes],
    dns: Object.keys(dns).length > 0 ? dns : previous.dns,
  };
}
