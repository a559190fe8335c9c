/**
 * What the state machines of the DHCP clients (v4/, v6/) have in common. A machine is a table of pure functions: from
 * its data and an event to its next data, what is to be done, and when to wake it. Whoever runs it has the sockets, the
 * store and the clock; so every timer of the RFCs can be tried in virtual time, and data that was written down goes on
 * where it was in another process.
 */

/** What a step may use beside its input. */
export interface Chance {
  /** Milliseconds since boot, suspend included (CLOCK_BOOTTIME). */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export type Event<Message> =
  /** One that the codec could read; the machine decides whether it is meant. */
  | { readonly is: 'message'; readonly message: Message; readonly from: Sender }
  /** `wakeAt` has come. */
  | { readonly is: 'time' }
  /** The answer to the action 'check': those of its addresses that somebody else on the link has. */
  | { readonly is: 'checked'; readonly taken: readonly string[] }
  /** The kernel found out that somebody else has an address that is in use (duplicate address detection). */
  | { readonly is: 'duplicate'; readonly address: string }
  /** Whether the network still is the same cannot be known: the link was down, or the host suspended. */
  | { readonly is: 'uncertain' }
  /** The container goes, and gives back what it has. */
  | { readonly is: 'release' };

/** Where a message came from, as far as the frame tells. */
export interface Sender {
  /** Address in text form. */
  readonly address: string;
  /** MAC address of the last hop, "02:00:00:00:00:01"; undefined where the socket does not tell. */
  readonly mac?: string;
}

export type LossCause = 'refused' | 'expired' | 'duplicate' | 'moved';

export type Action<Message, Lease> =
  /**
   * `to`: every server on the link, or the address of one. `from`: the leased address it is to come from, where that is
   * of account (DHCPv4: unicast RENEW and RELEASE).
   */
  | {
      readonly do: 'send';
      readonly message: Message;
      readonly to: 'everyone' | string;
      readonly from?: string;
    }
  /** Ask whether anybody on the link has these addresses; the event 'checked' answers. */
  | { readonly do: 'check'; readonly addresses: readonly string[] }
  /** The lease is new, or has been prolonged: keep it on disk, then use it. */
  | { readonly do: 'hold'; readonly lease: Lease }
  /** What was held must not be used any more. */
  | { readonly do: 'lose'; readonly why: LossCause }
  /** Nothing more will come: it was released. */
  | { readonly do: 'end' }
  /** A line for the log. */
  | { readonly do: 'note'; readonly text: string };

export interface Step<Data, Message, Lease> {
  /** JSON: what another process would need to go on. */
  readonly data: Data;
  /** In order. */
  readonly actions: readonly Action<Message, Lease>[];
  /** When to send the event 'time', of the clock of Chance.now; undefined: never. */
  readonly wakeAt: number | undefined;
}

/** `Wish`: what is asked for, and who asks; fixed for the machine's life. */
export interface Machine<Wish, Data, Message, Lease> {
  /** A machine that begins; `remembered`: a lease that its client had before, worth asking for again. */
  readonly begin: (wish: Wish, chance: Chance, remembered?: Lease) => Step<Data, Message, Lease>;
  /** One that was written down goes on; without asking anybody as long as its lease is valid. */
  readonly resume: (wish: Wish, data: Data, chance: Chance) => Step<Data, Message, Lease>;
  /** Throws TypeError for an event that cannot come in this state. Messages that are not meant change nothing. */
  readonly step: (
    wish: Wish,
    data: Data,
    event: Event<Message>,
    chance: Chance,
  ) => Step<Data, Message, Lease>;
  /** What is held, if anything is. */
  readonly leaseOf: (data: Data) => Lease | undefined;
  /** The state's name in the RFC's words, for people. */
  readonly stateOf: (data: Data) => string;
}
