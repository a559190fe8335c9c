/**
 * Others on a segment, of whom no store of ours knows: containers of another plugin, virtual machines, whatever is
 * plugged in. An address that one of them has is not given out a second time.
 */
import { NetmoorError } from '../base/errors.ts';
import { formatAddress, parsePrefix } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';

export interface Strangers {
  /** Addresses that are somebody's for certain, and whose, in words. */
  readonly held: ReadonlyMap<string, string>;
  /** Addresses that were somebody's lately: taken only where nothing else is left. */
  readonly seen: ReadonlySet<string>;
  /** Who answers for one of these addresses, in words. Waits for a moment. */
  readonly whoAnswers: (addresses: readonly Address[]) => { address: string; holder: string } | undefined;
}

/** An address was chosen, and somebody answers for it. */
export class AnsweredError extends NetmoorError {
  readonly address: string;
  readonly holder: string;

  constructor(address: string, holder: string) {
    super(
      'address-taken',
      `${address} is in use: ${holder} answers for it`,
      'it is none of netmoor: ask for another address, or "exclude" it in the "ipam" of the network',
    );
    this.name = 'AnsweredError';
    this.address = address;
    this.holder = holder;
  }
}

/** Asks whether what the store has given out is free on the segment, too. Throws AnsweredError. */
export function refuseAnswered(
  strangers: Strangers | undefined,
  { addresses }: Pick<AttachmentRecord, 'addresses'>,
): void {
  if (strangers === undefined || addresses.length === 0) return;
  const answer = strangers.whoAnswers(addresses.map(({ address }) => parsePrefix(address).address));
  if (answer !== undefined) throw new AnsweredError(answer.address, answer.holder);
}

/** Addresses not to be given out, and whose they are. */
export type Barred = ReadonlyMap<string, string>;

function barredBy({ held, seen }: Strangers, hints: boolean, answered: Barred): Barred {
  const lately = hints ? [...seen].map((address) => [address, 'somebody seen on the segment'] as const) : [];
  return new Map([...lately, ...held, ...answered]);
}

/** Throws 'address-taken' for a requested address that is somebody's. */
export function refuseBarred(requested: readonly Address[], barred: Barred): void {
  for (const address of requested.map(formatAddress)) {
    const holder = barred.get(address);
    if (holder === undefined) continue;
    throw new NetmoorError(
      'address-taken',
      `requested address ${address} is held by ${holder}`,
      'it is none of netmoor: remove that, or ask for another address',
    );
  }
}

/** Somebody who has so many addresses in a row of which nothing is on file has all of them. */
const ATTEMPTS = 32;

/**
 * Runs an attempt with the addresses that it is not to give out, and again, without further ones, as long as somebody
 * answers for what it has chosen. What was only seen lately is for the end. `wanted`: asked for by number;
 * `before`: what the attachment had until now.
 */
export async function apartFrom<T>(
  strangers: Strangers | undefined,
  wanted: readonly Address[],
  before: readonly string[],
  attempt: (barred: Barred) => Promise<T>,
): Promise<T> {
  if (strangers === undefined) return attempt(new Map());
  const answered = new Map<string, string>();
  const asked = new Set(wanted.map(formatAddress));
  const seen = new Set([...strangers.seen].filter((address) => !before.includes(address)));
  let hints = asked.size === 0 && seen.size > 0;
  for (;;) {
    try {
      return await attempt(barredBy({ ...strangers, seen }, hints, answered));
    } catch (error) {
      const exhausted = error instanceof NetmoorError && error.kind === 'pool-exhausted';
      const next = error instanceof AnsweredError && !asked.has(error.address) && answered.size < ATTEMPTS;
      if (next) answered.set(error.address, error.holder);
      else if (exhausted && hints) hints = false;
      else throw error;
    }
  }
}
