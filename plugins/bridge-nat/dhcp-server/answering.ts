/**
 * One question of a client, from the port it came through to what is on record before it is answered. Waits for store
 * and kernel.
 */
import type { Host } from '../../../lib/mooring/host.ts';
import { clearAway } from '../../../lib/mooring/collect.ts';
import { detach, removeNow } from '../../../lib/mooring/detach.ts';
import { isInHand } from '../../../lib/mooring/death.ts';
import type { Kind } from '../../../lib/mooring/kind.ts';
import { acceptForwarding } from '../../../lib/nftables/forward.ts';
import { NetmoorError } from '../../../lib/base/errors.ts';
import { parsePrefix, prefixContains, withoutLength } from '../../../lib/base/ip.ts';
import { clientIdentities } from '../../../ipam/dhcp/server/identity.ts';
import type { Answer, Query } from '../../../ipam/dhcp/server/query.ts';
import { BARRED_MS, serve } from '../../../ipam/dhcp/server/serve.ts';
import type { Outcome, Serving } from '../../../ipam/dhcp/server/serve.ts';
import type { AttachmentRecord } from '../../../ipam/record.ts';
import type { StoreTransaction } from '../../../ipam/store/store.ts';
import type { BridgeNatRecord } from '../detail.ts';
import { extendRules } from '../standby.ts';
import { barredName, keyOf, leaseRecord } from './client.ts';
import type { ServedNetwork } from './client.ts';
import { Held } from './held.ts';
import { hold } from './holding.ts';
import { isHeldElsewhere, nameOf, portFor } from './whose.ts';
import type { Asking } from './whose.ts';

export interface Answered {
  readonly answer?: Answer;
  /** The lease that was given or prolonged, or kept for the client. */
  readonly lease?: BridgeNatRecord;
  /** What the client gave back. */
  readonly ended?: AttachmentRecord;
  /** The client's record until now, where its lease goes on with the same address. */
  readonly before?: BridgeNatRecord;
  /** What it has no more, and is on no record: what the kernel has of it goes. */
  readonly past?: AttachmentRecord;
  /** Nothing was free that the client could have. */
  readonly exhausted?: true;
}

/** The IPv4 address of the bridge in the pool's subnet; undefined for a network that leases none. */
export function servingOf({ server }: ServedNetwork): Serving | undefined {
  const subnet = server.pool?.ranges?.[0]?.[0]?.subnet;
  if (subnet === undefined) return undefined;
  const own = server.gateways.filter((gateway) => parsePrefix(gateway).address.family === 4);
  const pool = parsePrefix(subnet);
  const address = own.find((gateway) => prefixContains(pool, parsePrefix(gateway).address)) ?? own[0];
  if (address === undefined) return undefined;
  return { address, leaseSeconds: server.leaseSeconds };
}

export interface Question extends Asking {
  readonly host: Pick<Host, 'store' | 'world'>;
  readonly kind: Pick<Kind, 'scopeOf'>;
  readonly network: ServedNetwork;
  readonly serving: Serving;
  readonly query: Query;
}

function put(tx: StoreTransaction, record: BridgeNatRecord): BridgeNatRecord {
  tx.putAttachment(record);
  return record;
}

/** In the transaction that has decided it. */
function apply(
  question: Question,
  tx: StoreTransaction,
  client: string,
  held: Held,
  outcome: Outcome,
): Answered {
  const { host, network, query } = question;
  const { answer, change } = outcome;
  const key = keyOf(network, client);
  const before = tx.attachment(key);
  const told = answer ? { answer } : {};
  if (change === undefined) return told;
  if (change.is === 'drop') return before === undefined ? told : { ...told, ended: before };
  const address = held.record(change.is === 'hold' ? change.binding.address : change.address);
  if (address === undefined) return {};
  if (change.is === 'hold') {
    const { state, until } = change.binding;
    const port = portFor(tx, question, client);
    const record = leaseRecord({ network, key, state, until, query, port, address, before }, host.world);
    const lease = put(tx, record);
    if (before === undefined) return { ...told, lease };
    const same = before.addresses[0]?.address === address.address;
    return { ...told, lease, ...(same ? { before: before as BridgeNatRecord } : { past: before }) };
  }
  tx.removeAttachment(key);
  const barred = keyOf(network, barredName(change.address));
  const { until } = change;
  const holding = {
    network,
    key: barred,
    state: 'barred',
    until,
    query,
    address,
    before: undefined,
  } as const;
  put(tx, leaseRecord(holding, host.world));
  return before === undefined ? told : { ...told, past: before };
}

/** Without the kernel: what is given back is still on record afterwards. */
export function decide(question: Question): Answered {
  const { host, kind, network, serving, query, now } = question;
  return host.store.write((tx) => {
    const client = nameOf(tx, question);
    const before = tx.attachment(keyOf(network, client));
    // Somebody clears the lease away this very moment: the client asks again.
    if (before !== undefined && (before.state !== 'attached' || isInHand(before, host.world))) return {};
    const givesUp = query.is === 'release' || query.is === 'decline';
    if (givesUp && isHeldElsewhere(tx, question, client)) return {};
    const held = new Held(tx, network, kind.scopeOf(network.segment), client, clientIdentities(query));
    const outcome = serve(serving, query, held, now, client);
    const nothing = query.is === 'discover' && outcome.answer === undefined && !query.relayed;
    return nothing ? { exhausted: true } : apply(question, tx, client, held, outcome);
  });
}

/** What goes with every lease that is in use: what leaves the network is masqueraded, and let through the host. */
function admit(host: Host, lease: BridgeNatRecord): void {
  extendRules(host, undefined, lease);
  if (lease.segment !== undefined) acceptForwarding(host.netfilter, lease.segment);
}

/** Somebody died over taking the client's lease down: it would stand in its way for ever. */
function clearHalfDone(question: Question & { readonly host: Host }, kind: Kind): void {
  const { host, network } = question;
  const before = host.store.read((tx) => tx.attachment(keyOf(network, nameOf(tx, question))));
  if (before === undefined || before.state === 'attached' || isInHand(before, host.world)) return;
  clearAway(kind, host, before);
}

/** What the kernel says is another's, who is on no record here: kept from everybody for a while, as if declined. */
function bar(question: Question & { readonly host: Host }, lease: BridgeNatRecord): void {
  const { host, network, now, query } = question;
  const [address] = lease.addresses;
  if (address === undefined) return;
  host.store.write((tx) => {
    if (tx.incarnation(lease) !== lease.incarnation) return;
    tx.removeAttachment(lease);
    const name = barredName(withoutLength(address.address));
    const until = now + BARRED_MS;
    const key = keyOf(network, name);
    const holding = { network, key, state: 'barred', until, query, address, before: undefined } as const;
    put(tx, leaseRecord(holding, host.world));
  });
}

/** Whether the address is the client's alone. */
function held(
  question: Question & { readonly host: Host },
  lease: BridgeNatRecord,
  before?: BridgeNatRecord,
): boolean {
  try {
    hold(question.host, lease, before);
    return true;
  } catch (error) {
    if (!(error instanceof NetmoorError) || error.kind !== 'address-taken') throw error;
    bar(question, lease);
    return false;
  }
}

/**
 * Decides, puts on record, and makes the rules; what is returned may be sent. Throws NetmoorError and SystemError: then
 * nothing is, and the client asks again.
 */
export function answerTo(question: Question & { readonly host: Host }, kind: Kind): Answered {
  const { host, query } = question;
  clearHalfDone(question, kind);
  const answered = decide(question);
  const { answer, lease, before, ended, past } = answered;
  for (const removal of past === undefined ? [] : kind.own(host, past as BridgeNatRecord))
    removeNow(host, removal);
  if (ended !== undefined) detach(kind, host, ended);
  if (answer?.is !== 'ack' || lease === undefined) return answered;
  if (!held(question, lease, before))
    return query.is === 'discover' ? {} : { answer: { is: 'nak', text: 'address not available' } };
  admit(host, lease);
  return answered;
}
