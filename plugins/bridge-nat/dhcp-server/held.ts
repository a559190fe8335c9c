/** Who holds what, as a server's decisions ask for it, inside a transaction of the lease store. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { formatAddress, parseAddress, withoutLength } from '../../../lib/base/ip.ts';
import type { Address } from '../../../lib/base/ip.ts';
import { sha256 } from '../../../lib/base/sha256.ts';
import type { Binding, Bindings } from '../../../ipam/dhcp/server/bindings.ts';
import { leaseAddresses } from '../../../ipam/lease.ts';
import type { PoolSource } from '../../../ipam/lease.ts';
import type { AddressLedger } from '../../../ipam/ledger.ts';
import { parsePool } from '../../../ipam/pool.ts';
import { sameKey } from '../../../ipam/record.ts';
import type { AddressRecord, AttachmentKey } from '../../../ipam/record.ts';
import { spanSize } from '../../../ipam/span.ts';
import type { Span } from '../../../ipam/span.ts';
import type { StoreTransaction } from '../../../ipam/store/store.ts';
import { clientOf, keyOf } from './client.ts';
import type { ServedNetwork } from './client.ts';

/** Reasons why an address is not to be had, as opposed to what is wrong with store or config. */
const NOT_TO_BE_HAD = ['address-taken', 'address-invalid', 'pool-exhausted'];

function unlessRefused<T>(attempt: () => T): T | undefined {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof NetmoorError && NOT_TO_BE_HAD.includes(error.kind)) return undefined;
    throw error;
  }
}

/** Which 64 bits of a client's digest (SHA-256) are a place of its own in the pool. */
const USUAL_PLACES = [0, 1, 2, 3];

/** `place`: counted from the first address of the first span, less than the size of all. */
function addressAt(spans: readonly Span[], place: bigint): Address {
  let left = place;
  for (const span of spans) {
    if (left < spanSize(span)) return { family: span.first.family, value: span.first.value + left };
    left -= spanSize(span);
  }
  throw new RangeError(`place ${place} is beyond the pool`);
}

/** The leases as they are without those of one client, to whom its own address is free. */
function ledgerFor(tx: StoreTransaction, key: AttachmentKey): AddressLedger {
  const owner = (scope: string, address: Address): AttachmentKey | undefined => {
    const found = tx.addressOwner(scope, address);
    return found !== undefined && sameKey(found, key) ? undefined : found;
  };
  return {
    nextFree: (...range) => tx.nextFree(...range),
    isTaken: (scope, address) => owner(scope, address) !== undefined,
    addressOwner: owner,
    countTaken: (...range) => tx.countTaken(...range),
    recentlyReleased: (scope) => tx.recentlyReleased(scope),
    cursor: (...range) => tx.cursor(...range),
    setCursor: (...position) => tx.setCursor(...position),
  };
}

export class Held implements Bindings {
  readonly #tx: StoreTransaction;
  readonly #network: ServedNetwork;
  readonly #source: PoolSource;
  readonly #key: AttachmentKey;
  readonly #identities: readonly string[];

  /** `identities`: what addresses may be reserved under for the client. */
  constructor(
    tx: StoreTransaction,
    network: ServedNetwork,
    scope: string,
    client: string,
    identities: readonly string[],
  ) {
    this.#tx = tx;
    this.#network = network;
    this.#source = { scope, config: network.server.pool ?? {}, extraRanges: [] };
    this.#key = keyOf(network, client);
    this.#identities = identities;
  }

  of(client: string): Binding | undefined {
    const record = this.#tx.attachment(keyOf(this.#network, client));
    const found = record && clientOf(record);
    const given = record?.addresses[0];
    if (found === undefined || given === undefined || found.state === 'barred') return undefined;
    return { address: withoutLength(given.address), state: found.state, until: found.until };
  }

  choose(_client: string, wish?: string): string | undefined {
    const own = this.#reserved();
    if (own.length > 0) return own.find((address) => this.canHave(_client, address));
    for (const address of [wish, ...this.#usual()])
      if (address !== undefined && this.canHave(_client, address)) return address;
    const [next] = this.#lease([]) ?? [];
    return next && withoutLength(next.address);
  }

  canHave(_client: string, address: string): boolean {
    return this.record(address) !== undefined;
  }

  /** The address as its record has it, if the client can have it. */
  record(address: string): AddressRecord | undefined {
    return this.#lease([parseAddress(address)])?.[0];
  }

  #lease(requested: readonly Address[]): readonly AddressRecord[] | undefined {
    const ledger = ledgerFor(this.#tx, this.#key);
    const wanted = { requested, identities: this.#identities };
    return unlessRefused(() => leaseAddresses(ledger, this.#source, wanted).addresses);
  }

  /** Kept for it by the network's configuration: it gets these and no others. */
  #reserved(): string[] {
    const { reservations } = parsePool(this.#source.config);
    return this.#identities.flatMap((identity) => reservations.get(identity) ?? []).map(formatAddress);
  }

  /**
   * The places in the pool that are the client's own, in the order of its liking: it gets the same address after years,
   * with nothing remembered. More than one, since a container or another client may have the first.
   */
  #usual(): string[] {
    const spans = parsePool(this.#source.config)
      .sets.flat()
      .flatMap(({ free }) => free);
    const size = spans.reduce((sum, span) => sum + spanSize(span), 0n);
    if (size === 0n) return [];
    const digest = sha256(`${this.#network.name}\0${this.#key.containerId}`);
    return USUAL_PLACES.map((place) =>
      formatAddress(addressAt(spans, digest.readBigUInt64BE(8 * place) % size)),
    );
  }
}
