/** What DHCP servers have leased, as the verbs show it: with times by the wall clock, as far as they can be told. */
import { formatAddress, parsePrefix } from '../lib/base/ip.ts';
import type { World } from '../lib/cni/world.ts';
import { bootNow } from '../lib/system/boot-clock.ts';
import { formatKey } from '../ipam/record.ts';
import type { AttachmentKey } from '../ipam/record.ts';
import type { Lease4, Lease6, Times } from '../ipam/dhcp/lease.ts';
import type { ClientRecord, DhcpLeaseRecord } from '../ipam/dhcp/record.ts';

export interface Moment {
  /** ISO 8601 */
  readonly at: string;
  /** From now on; negative when it has passed. */
  readonly seconds: number;
}

/** One item of `dhcp` in schemas/cli-leases.schema.json: what one attachment holds by one version of DHCP. */
export interface DhcpLeaseView extends AttachmentKey {
  readonly name?: string;
  readonly version: 4 | 6;
  /** With prefix lengths. */
  readonly addresses: readonly string[];
  /** Delegated to the container. */
  readonly prefixes: readonly string[];
  /** Address of the server; absent while nothing is held. */
  readonly server?: string;
  /** DUID of a DHCPv6 server, in hexadecimal. */
  readonly serverId?: string;
  /** The RFC's word, as it was written down last. */
  readonly state: string;
  /** Absent where they are of no account: without a lease, of one for ever, of one from before the last boot. */
  readonly renews?: Moment;
  readonly rebinds?: Moment;
  /** Absent: never, or nothing is held. */
  readonly expires?: Moment;
  /** Nobody has prolonged it in time. */
  readonly lapsed: boolean;
  /** Why its container is taken to be gone. */
  readonly gone?: string;
}

/** Milliseconds: of the wall clock and since boot, of the same moment. */
export interface Clocks {
  readonly now: number;
  readonly sinceBoot: number;
  readonly bootId: string;
}

export function clocksOf(world: Pick<World, 'now' | 'bootId'>): Clocks {
  return { now: world.now(), sinceBoot: bootNow(), bootId: world.bootId };
}

const ELSEWHEN = 'it is of an earlier boot of the host';

function moment(milliseconds: number, { now }: Clocks): Moment {
  const seconds = Math.round((milliseconds - now) / 1000);
  return { at: new Date(milliseconds).toISOString(), seconds };
}

type Timed = Pick<DhcpLeaseView, 'renews' | 'rebinds' | 'expires' | 'lapsed'>;

/** `since` means nothing in another boot than its own; then there is only when all of the record lapses. */
function timesOf(record: DhcpLeaseRecord, lease: Times | undefined, clocks: Clocks): Timed {
  if (lease === undefined) return { lapsed: false };
  if (record.bootId !== clocks.bootId) {
    const { lapsesAt } = record;
    if (lapsesAt === undefined) return { lapsed: false };
    return { expires: moment(lapsesAt, clocks), lapsed: lapsesAt <= clocks.now };
  }
  const after = (seconds: number): Moment =>
    moment(clocks.now + lease.since - clocks.sinceBoot + seconds * 1000, clocks);
  const { renewAfter, rebindAfter, validFor } = lease;
  const expires = validFor === undefined ? undefined : after(validFor);
  return {
    ...(renewAfter === undefined ? {} : { renews: after(renewAfter) }),
    ...(rebindAfter === undefined ? {} : { rebinds: after(rebindAfter) }),
    ...(expires === undefined ? {} : { expires }),
    lapsed: expires !== undefined && expires.seconds <= 0,
  };
}

type What = Pick<DhcpLeaseView, 'addresses' | 'prefixes' | 'server' | 'serverId'>;

function whatOf(lease: Lease4 | Lease6 | undefined): What {
  if (lease === undefined) return { addresses: [], prefixes: [] };
  if ('address' in lease) return { addresses: [lease.address], prefixes: [], server: lease.server };
  const { addresses, prefixes, server, serverAddress } = lease;
  return {
    addresses: addresses.map(({ address }) => `${address}/128`),
    prefixes: prefixes.map(({ prefix }) => prefix),
    server: serverAddress,
    serverId: server,
  };
}

function stateIn({ data }: ClientRecord<unknown>): string {
  const state: unknown = 'state' in data ? data.state : undefined;
  return typeof state === 'string' ? state : 'unknown';
}

/** One view for each version of DHCP that the attachment asks by. */
export function dhcpViewsOf(record: DhcpLeaseRecord, clocks: Clocks, name?: string): DhcpLeaseView[] {
  const { network, containerId, ifname } = record;
  const gone = record.gone ?? (record.bootId === clocks.bootId ? undefined : ELSEWHEN);
  return ([4, 6] as const).flatMap((version) => {
    const client: ClientRecord<Lease4 | Lease6> | undefined = version === 4 ? record.v4 : record.v6;
    if (client === undefined) return [];
    return {
      ...{ network, containerId, ifname },
      ...(name === undefined ? {} : { name }),
      version,
      ...whatOf(client.lease),
      state: stateIn(client),
      ...timesOf(record, client.lease, clocks),
      ...(gone === undefined ? {} : { gone }),
    };
  });
}

/** Whether an attachment's address is of DHCP, whatever prefix length it was given with. */
export type IsLeased = (key: AttachmentKey, address: string) => boolean;

function bare(address: string): string {
  return formatAddress(parsePrefix(address).address);
}

export function leasedBy(records: readonly DhcpLeaseRecord[]): IsLeased {
  const held = new Set(
    records.flatMap((record) =>
      [...whatOf(record.v4?.lease).addresses, ...whatOf(record.v6?.lease).addresses].map(
        (address) => `${formatKey(record)} ${bare(address)}`,
      ),
    ),
  );
  return (key, address) => held.has(`${formatKey(key)} ${bare(address)}`);
}

const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const;

/** "in 12 min", "3 h ago", "now" */
export function formatMoment({ seconds }: Moment): string {
  const length = Math.abs(seconds);
  if (length === 0) return 'now';
  const unit = UNITS.find(([, each]) => length >= 2 * each);
  const text = unit === undefined ? `${length} s` : `${Math.round(length / unit[1])} ${unit[0]}`;
  return seconds > 0 ? `in ${text}` : `${text} ago`;
}
