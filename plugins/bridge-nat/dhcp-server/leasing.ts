/** The IPv4 side of a served bridge: questions of DHCP clients, answered one after the other. */
import { errorText } from '../../../lib/base/errors.ts';
import { parsePrefix, withoutLength } from '../../../lib/base/ip.ts';
import type { Json, ResidentHost } from '../../../lib/cni/resident.ts';
import { DecodeError } from '../../../ipam/dhcp/decode-error.ts';
import { BROADCAST_MAC } from '../../../ipam/dhcp/frame/ethernet.ts';
import { CLIENT_PORT, SERVER_PORT, decodeFrame, encodeFrame } from '../../../ipam/dhcp/frame/frame.ts';
import { destinationOf, messageOf, queryOf } from '../../../ipam/dhcp/server/messages.ts';
import type { Settings } from '../../../ipam/dhcp/server/messages.ts';
import type { Answer, Query } from '../../../ipam/dhcp/server/query.ts';
import { decodeMessage, encodeMessage } from '../../../ipam/dhcp/v4/message.ts';
import { servingOf } from './answering.ts';
import type { Found } from './looking.ts';
import type { Asked, Reply } from './tasks.ts';

/** Questions that may wait for the store; what comes beyond that is asked again by whoever asked. */
const MOST_WAITING = 128;
const EVERYBODY = '255.255.255.255';

/** What all clients of the network are told; undefined where no IPv4 is leased. */
export function settingsOf(found: Found): Settings | undefined {
  const serving = servingOf(found);
  if (serving === undefined) return undefined;
  const { routes, dns, mtu } = found.server;
  const own = routes.filter(({ dst }) => parsePrefix(dst).address.family === 4);
  const router = own.find(({ dst, gw }) => parsePrefix(dst).length === 0 && gw !== undefined)?.gw;
  const further = own.some(({ dst }) => parsePrefix(dst).length > 0);
  return {
    address: serving.address,
    ...(router === undefined ? {} : { router }),
    routes: further ? own : [],
    dns,
    ...(mtu === undefined ? {} : { mtu }),
  };
}

export interface LeasingHost extends Pick<ResidentHost, 'runTask' | 'log'> {
  readonly send: (port: number, frame: Buffer) => void;
  /** For the log, sparingly. */
  readonly note: (line: string) => void;
  /** A lease ends then, milliseconds since boot. */
  readonly endsAt: (until: number) => void;
}

export class Leasing {
  readonly #found: Found;
  readonly #settings: Settings;
  readonly #server: string;
  readonly #host: LeasingHost;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(found: Found, settings: Settings, host: LeasingHost) {
    this.#found = found;
    this.#settings = settings;
    this.#server = withoutLength(settings.address);
    this.#host = host;
  }

  /** Resolves when all questions so far are answered. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  heard(bytes: Buffer): void {
    try {
      const { from, to, payload } = decodeFrame(bytes);
      if (to.address !== this.#server && to.address !== EVERYBODY) return;
      const query = queryOf(decodeMessage(payload));
      if (query !== undefined) this.#ask(query, from.mac);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  /** One after the other: what one client is answered depends on what another was. */
  #ask(query: Query, mac: string): void {
    const { note } = this.#host;
    if (this.#waiting >= MOST_WAITING) {
      note('more questions than can be answered: some are dropped');
      return;
    }
    this.#waiting += 1;
    this.#turn = this.#turn
      .then(async () => this.#answer(query, mac))
      .catch((error: unknown) => note(`${query.mac} was not answered: ${errorText(error)}`))
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  async #answer(query: Query, mac: string): Promise<void> {
    const { dir, name, bridge } = this.#found;
    const { runTask, note, endsAt, send } = this.#host;
    const asked: Asked = { dir, name, bridge: bridge.index, mac, query };
    const reply = (await runTask('dhcp-server/answer', asked as unknown as Json)) as unknown as Reply;
    if (reply.note !== undefined) note(reply.note);
    if (reply.until !== undefined) endsAt(reply.until);
    if (reply.answer === undefined || reply.port === undefined) return;
    this.#log(query, reply.answer);
    send(reply.port, this.#frame(query, reply.answer));
  }

  #frame(query: Query, answer: Answer): Buffer {
    const { address, mac = BROADCAST_MAC } = destinationOf(query, answer);
    return encodeFrame({
      from: { mac: this.#found.bridge.mac, address: this.#server, port: SERVER_PORT },
      to: { mac, address, port: CLIENT_PORT },
      payload: encodeMessage(messageOf(query, answer, this.#settings), query.limit),
    });
  }

  #log(query: Query, { is, address, granted, text }: Answer): void {
    const what = address === undefined ? (text ?? '') : `${address} for ${granted?.seconds} s`;
    const who = query.hostname === undefined ? query.mac : `${query.mac} (${query.hostname})`;
    this.#host.log('info', `${this.#found.name}: ${is.toUpperCase()} to ${who} ${what}`.trim());
  }
}
