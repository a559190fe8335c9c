/** What a client of DHCPv6 wants, and who it is; JSON. */

export interface Wish6 {
  /** Who asks: a DUID in hexadecimal. */
  readonly duid: string;
  /** Unsigned, 32 bits: of the IA_NA and the first IA_PD; further IA_PDs count on from here. */
  readonly iaid: number;
  /** Whether to lease an address. */
  readonly addresses: boolean;
  /** How many prefixes, or which: "::/56" for any of that length. Each gets an IA_PD, as servers give one for each. */
  readonly prefixes: number | readonly string[];
  /** Lease nothing, only be told (INFORMATION-REQUEST). */
  readonly stateless: boolean;
  readonly rapidCommit: boolean;
  /** Options to be told, by number; the machine adds those that the RFC wants to be asked for. */
  readonly request: readonly number[];
  /** Further options to send: hexadecimal digits by option number. */
  readonly provide: Readonly<Record<number, string>>;
  /** Whole with a dot at its end, "host.example."; the server is asked to put it into the DNS (RFC 4704). */
  readonly fqdn?: string;
  /**
   * To keep all that RFC 9915 wants for the sake of networks where everybody starts at once: the random second before
   * the first message (sections 18.2.1, 18.2.3 and 18.2.6), and collecting ADVERTISEs for the whole first second.
   * Otherwise the first ADVERTISE that grants all is taken, and nothing is delayed: somebody waits for the container.
   */
  readonly patient: boolean;
}

/** An IA_PD to ask for. */
export interface Delegation {
  readonly iaid: number;
  readonly hint?: string;
}

export function delegationsOf({ iaid, prefixes }: Wish6): readonly Delegation[] {
  const hints = typeof prefixes === 'number' ? new Array<undefined>(prefixes).fill(undefined) : prefixes;
  return hints.map((hint, index) => ({
    iaid: (iaid + index) % 2 ** 32,
    ...(hint !== undefined && { hint }),
  }));
}

export function duidOf({ duid }: Wish6): string {
  return duid.toLowerCase();
}
