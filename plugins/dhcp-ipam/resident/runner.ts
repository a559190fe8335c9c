/**
 * Runs one machine of ipam/dhcp/: its messages through a transport that is open during exchanges alone, its alarms by
 * the reactor's clock.
 */
import { errorText } from '../../../lib/base/errors.ts';
import type { Alarm, Reactor } from '../../../lib/system/reactor.ts';
import type { Action, Chance, Event, LossCause, Machine, Step } from '../../../ipam/dhcp/machine.ts';
import type { OpenTransport, Transport } from './transport.ts';

/** What becomes of the machine, for its client. */
export interface Outcome<Lease> {
  /** New or prolonged; `before`: what was held until now. */
  readonly held: (lease: Lease, before: Lease | undefined) => void;
  readonly lost: (before: Lease | undefined, why: LossCause) => void;
  /** To be answered by `checked`. */
  readonly check: (addresses: readonly string[]) => void;
  readonly note: (text: string) => void;
}

export interface RunnerWorld {
  readonly reactor: Pick<Reactor, 'now' | 'at'>;
  readonly random: () => number;
}

/** How long answers are listened for after something was sent: later ones are as good as lost. */
const LISTEN_MS = 10_000;

interface Letter<Message> {
  readonly message: Message;
  readonly to: 'everyone' | string;
  readonly from: string | undefined;
}

export class Runner<Wish, Data, Message, Lease> {
  readonly #machine: Machine<Wish, Data, Message, Lease>;
  readonly #wish: Wish;
  readonly #open: OpenTransport<Message>;
  readonly #world: RunnerWorld;
  readonly #outcome: Outcome<Lease>;
  #data: Data | undefined;
  #lease: Lease | undefined;
  #alarm: Alarm | undefined;
  #transport: Transport<Message> | undefined;
  #opening = false;
  #closing: Alarm | undefined;
  #waiting: Letter<Message>[] = [];
  #wakeAt: number | undefined;
  #ending = false;
  #closed = false;
  #failures = 0;
  readonly #atEnd: (() => void)[] = [];

  constructor(
    machine: Machine<Wish, Data, Message, Lease>,
    wish: Wish,
    open: OpenTransport<Message>,
    world: RunnerWorld,
    outcome: Outcome<Lease>,
  ) {
    this.#machine = machine;
    this.#wish = wish;
    this.#open = open;
    this.#world = world;
    this.#outcome = outcome;
  }

  get wish(): Wish {
    return this.#wish;
  }

  get data(): Data | undefined {
    return this.#data;
  }

  get lease(): Lease | undefined {
    return this.#lease;
  }

  get state(): string {
    return this.#data === undefined ? 'ended' : this.#machine.stateOf(this.#data);
  }

  /** When the machine is to be woken next, of the boot clock. */
  get wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  /** A message has not found its way to the link yet. */
  get isSending(): boolean {
    return this.#waiting.length > 0;
  }

  /** How many messages could not be sent so far. */
  get failures(): number {
    return this.#failures;
  }

  /** Resolves when nothing more is to be sent, at the latest at `deadline` of the boot clock. */
  async ended(deadline: number): Promise<void> {
    if (this.#closed || this.#data === undefined) return;
    await new Promise<void>((resolve) => {
      const alarm = this.#world.reactor.at(deadline, resolve);
      this.#atEnd.push(() => {
        alarm.cancel();
        resolve();
      });
    });
  }

  begin(remembered: Lease | undefined): void {
    this.#take(this.#machine.begin(this.#wish, this.#chance(), remembered));
  }

  resume(data: Data): void {
    this.#lease = this.#machine.leaseOf(data);
    this.#take(this.#machine.resume(this.#wish, data, this.#chance()));
  }

  feed(event: Event<Message>): void {
    if (this.#closed || this.#ending || this.#data === undefined) return;
    try {
      this.#take(this.#machine.step(this.#wish, this.#data, event, this.#chance()));
    } catch (error) {
      // A mistake of ours, which must not end what all the others rely on.
      this.#outcome.note(`${this.state}, ${event.is}: ${errorText(error)}`);
    }
  }

  /** Nothing more is done. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#alarm?.cancel();
    this.#hangUp();
    for (const tell of this.#atEnd) tell();
  }

  #chance(): Chance {
    const { reactor, random } = this.#world;
    return { now: reactor.now(), random };
  }

  #take({ data, actions, wakeAt }: Step<Data, Message, Lease>): void {
    this.#data = data;
    this.#alarm?.cancel();
    this.#wakeAt = wakeAt;
    this.#alarm =
      wakeAt === undefined ? undefined : this.#world.reactor.at(wakeAt, () => this.feed({ is: 'time' }));
    for (const action of actions) this.#perform(action);
  }

  #perform(action: Action<Message, Lease>): void {
    if (this.#closed) return;
    if (action.do === 'send') this.#post(action);
    else if (action.do === 'check') this.#outcome.check(action.addresses);
    else if (action.do === 'note') this.#outcome.note(action.text);
    else if (action.do === 'end') {
      this.#ending = true;
      this.#endWhenSent();
    } else this.#change(action);
  }

  /** The last message may be waiting for its socket. */
  #endWhenSent(): void {
    if (!this.#ending || this.#closed || this.#waiting.length > 0) return;
    this.close();
  }

  #change(action: Extract<Action<Message, Lease>, { do: 'hold' | 'lose' }>): void {
    const before = this.#lease;
    if (action.do === 'hold') {
      this.#lease = action.lease;
      this.#listenOn(0);
      this.#outcome.held(action.lease, before);
    } else {
      this.#lease = undefined;
      this.#outcome.lost(before, action.why);
    }
  }

  #post({ message, to, from }: Extract<Action<Message, Lease>, { do: 'send' }>): void {
    // Of what could not be sent so far, the newest says all.
    this.#waiting = [...this.#waiting.filter((letter) => letter.to !== to), { message, to, from }];
    this.#listenOn(LISTEN_MS);
    if (this.#transport !== undefined) this.#flush();
    else void this.#dial();
  }

  #flush(): void {
    const transport = this.#transport;
    while (transport !== undefined && this.#waiting.length > 0) {
      const [letter] = this.#waiting;
      if (letter === undefined) return;
      try {
        if (!transport.send(letter.message, letter.to, letter.from)) return;
      } catch (error) {
        this.#failures++;
        this.#outcome.note(`could not send: ${errorText(error)}`);
      }
      this.#waiting.shift();
    }
    this.#endWhenSent();
  }

  async #dial(): Promise<void> {
    if (this.#opening) return;
    this.#opening = true;
    try {
      const transport = await this.#open({
        heard: (message, from) => this.feed({ is: 'message', message, from }),
        ready: () => this.#flush(),
        broken: (error) => {
          this.#outcome.note(`cannot listen: ${errorText(error)}`);
          this.#hangUp();
        },
      });
      if (this.#closed || this.#closing === undefined) transport.close();
      else {
        this.#transport = transport;
        this.#flush();
      }
    } catch (error) {
      // It is asked again when the machine's time for an answer is over.
      this.#waiting = [];
      this.#failures++;
      this.#outcome.note(`could not ask: ${errorText(error)}`);
    } finally {
      this.#opening = false;
      this.#endWhenSent();
    }
  }

  #listenOn(milliseconds: number): void {
    this.#closing?.cancel();
    const { reactor } = this.#world;
    this.#closing = reactor.at(reactor.now() + milliseconds, () => this.#hangUp());
  }

  #hangUp(): void {
    this.#closing?.cancel();
    this.#closing = undefined;
    this.#waiting = [];
    this.#transport?.close();
    this.#transport = undefined;
    this.#endWhenSent();
  }
}
