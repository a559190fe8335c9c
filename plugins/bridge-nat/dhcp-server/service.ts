/**
 * One bridge that is served: its sockets on the engine's main loop. Frames are heard on the bridge itself, behind its
 * own filters, and answered through the one port that the client was heard on: an answer that is sent to all is sent to
 * all behind that port, and never out of a network card.
 */
import { close } from 'node:fs';
import { errorText, isErrno } from '../../../lib/base/errors.ts';
import { parsePrefix, parseAddress } from '../../../lib/base/ip.ts';
import type { Json, ResidentHost } from '../../../lib/cni/resident.ts';
import {
  ETH_P_IP,
  ETH_P_IPV6,
  openPacketSocket,
  sendFrame,
  udp4To,
  udp6ToOrIcmp6Of,
} from '../../../lib/system/packet-socket.ts';
import type { Reactor, Watch } from '../../../lib/system/reactor.ts';
import { receive } from '../../../lib/system/syscall.ts';
import { openUdpSocket } from '../../../lib/system/udp-socket.ts';
import { DecodeError } from '../../../ipam/dhcp/decode-error.ts';
import { BROADCAST_MAC } from '../../../ipam/dhcp/frame/ethernet.ts';
import { CLIENT_PORT, SERVER_PORT, decodeFrame, encodeFrame } from '../../../ipam/dhcp/frame/frame.ts';
import { destinationOf, messageOf, queryOf } from '../../../ipam/dhcp/server/messages.ts';
import type { Settings } from '../../../ipam/dhcp/server/messages.ts';
import type { Answer, Query } from '../../../ipam/dhcp/server/query.ts';
import { decodeMessage, encodeMessage } from '../../../ipam/dhcp/v4/message.ts';
import { SERVER_PORT as SERVER_PORT_6 } from '../../../ipam/dhcp/v6/message.ts';
import { servingOf } from './answering.ts';
import { Announcer } from './announcer.ts';
import type { Asked, Found, Reply } from './tasks.ts';

const OP = 'serve DHCP';
/** Frames taken at once, before others have their turn. */
const AT_ONCE = 64;
/** Questions that may wait for the store; what comes beyond that is asked again by whoever asked. */
const MOST_WAITING = 128;
const FRAME_BYTES = 2048;
const ROUTER_SOLICITATION = 133;

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

export interface ServiceHost extends Pick<ResidentHost, 'runTask' | 'log'> {
  readonly reactor: Reactor;
  /** A lease ends then, milliseconds since boot. */
  readonly endsAt: (until: number) => void;
}

export class Service {
  readonly found: Found;
  readonly #host: ServiceHost;
  readonly #settings: Settings | undefined;
  readonly #sockets: { readonly fd: number; readonly watch?: Watch }[] = [];
  readonly #buffer = Buffer.alloc(FRAME_BYTES);
  #announcer: Announcer | undefined;
  #turn: Promise<void> = Promise.resolve();
  #waiting = 0;
  #noted = new Map<string, number>();

  private constructor(found: Found, host: ServiceHost) {
    this.found = found;
    this.#host = host;
    this.#settings = settingsOf(found);
  }

  /** Throws SystemError. */
  static open(found: Found, host: ServiceHost): Service {
    const service = new Service(found, host);
    try {
      service.#openSockets();
    } catch (error) {
      service.close();
      throw error;
    }
    return service;
  }

  #openSockets(): void {
    const { bridge, segment, server } = this.found;
    const { index } = bridge;
    if (this.#settings !== undefined) {
      this.#listen(openPacketSocket({ index, protocol: ETH_P_IP, filter: udp4To(SERVER_PORT) }), (frame) =>
        this.#heard4(frame),
      );
      this.#occupyPort(segment);
    }
    if (server.prefixes === undefined || bridge.linkLocal === undefined) return;
    const filter = udp6ToOrIcmp6Of(SERVER_PORT_6, ROUTER_SOLICITATION);
    const fd = openPacketSocket({ index, protocol: ETH_P_IPV6, filter });
    const { runTask, log } = this.#host;
    const announcer = new Announcer(this.found, {
      runTask,
      log,
      send: (port, frame) => this.#send(fd, port, frame),
    });
    this.#announcer = announcer;
    this.#listen(fd, (frame) => announcer.heard(frame));
  }

  #listen(fd: number, heard: (frame: Buffer) => void): void {
    const watch = this.#host.reactor.watch(fd, () => this.#ready(fd, heard));
    this.#sockets.push({ fd, watch });
  }

  /**
   * What a client sends to the server alone also reaches the kernel, which would answer that nobody listens. Nothing is
   * read from this socket. Where another program has the port, it is that one's to answer.
   */
  #occupyPort(segment: string): void {
    const any = { address: parseAddress('0.0.0.0'), port: SERVER_PORT };
    try {
      this.#sockets.push({ fd: openUdpSocket({ ifname: segment, local: any }) });
    } catch (error) {
      if (!isErrno(error, 'EADDRINUSE')) throw error;
      this.#host.log('warning', `${segment}: another program of this host serves DHCP there, too`);
    }
  }

  #ready(fd: number, heard: (frame: Buffer) => void): void {
    try {
      for (let count = 0; count < AT_ONCE; count++) {
        const length = receive(fd, this.#buffer, OP);
        if (length === undefined) return;
        if (length <= this.#buffer.length) heard(Buffer.from(this.#buffer.subarray(0, length)));
      }
    } catch (error) {
      // The bridge went down, or away: the next look at the networks will find out.
      if (!isErrno(error, 'ENETDOWN', 'ENXIO', 'ENODEV')) this.#note(errorText(error));
    }
  }

  #heard4(bytes: Buffer): void {
    const settings = this.#settings;
    if (settings === undefined) return;
    try {
      const { from, to, payload } = decodeFrame(bytes);
      const own = settings.address.replace(/\/.*/, '');
      if (to.address !== own && to.address !== '255.255.255.255') return;
      const query = queryOf(decodeMessage(payload));
      if (query !== undefined) this.#ask(query, from.mac, settings);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  /** One after the other: what one client is answered depends on what another was. */
  #ask(query: Query, mac: string, settings: Settings): void {
    if (this.#waiting >= MOST_WAITING) {
      this.#note('more questions than can be answered: some are dropped');
      return;
    }
    this.#waiting += 1;
    this.#turn = this.#turn
      .then(async () => this.#answer(query, mac, settings))
      .catch((error: unknown) => this.#note(`${query.mac} was not answered: ${errorText(error)}`))
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  async #answer(query: Query, mac: string, settings: Settings): Promise<void> {
    const { dir, name, bridge } = this.found;
    const asked: Asked = { dir, name, bridge: bridge.index, mac, query };
    const reply = (await this.#host.runTask(
      'dhcp-server/answer',
      asked as unknown as Json,
    )) as unknown as Reply;
    if (reply.note !== undefined) this.#note(reply.note);
    if (reply.until !== undefined) this.#host.endsAt(reply.until);
    const [socket] = this.#sockets;
    if (reply.answer === undefined || reply.port === undefined || socket === undefined) return;
    this.#log(query, reply.answer);
    this.#send(socket.fd, reply.port, this.#frame(query, reply.answer, settings));
  }

  #frame(query: Query, answer: Answer, settings: Settings): Buffer {
    const { address, mac = BROADCAST_MAC } = destinationOf(query, answer);
    const server = settings.address.replace(/\/.*/, '');
    return encodeFrame({
      from: { mac: this.found.bridge.mac, address: server, port: SERVER_PORT },
      to: { mac, address, port: CLIENT_PORT },
      payload: encodeMessage(messageOf(query, answer, settings), query.limit),
    });
  }

  #log(query: Query, { is, address, granted, text }: Answer): void {
    const what = address === undefined ? (text ?? '') : `${address} for ${granted?.seconds} s`;
    const who = query.hostname === undefined ? query.mac : `${query.mac} (${query.hostname})`;
    this.#host.log('info', `${this.found.name}: ${is.toUpperCase()} to ${who} ${what}`.trim());
  }

  #send(fd: number, port: number, frame: Buffer): void {
    try {
      sendFrame(fd, port, frame, OP);
    } catch (error) {
      this.#note(`an answer was not sent: ${errorText(error)}`);
    }
  }

  /** The same thing at most once a minute: anybody on the bridge can make it happen. */
  #note(line: string): void {
    const now = this.#host.reactor.now();
    if ((this.#noted.get(line) ?? -Infinity) > now - 60_000) return;
    if (this.#noted.size > 1000) this.#noted.clear();
    this.#noted.set(line, now);
    this.#host.log('warning', `${this.found.name}: ${line}`);
  }

  /** Says what is due to be said unasked. */
  tick(now: number): void {
    this.#announcer?.tick(now);
  }

  /** `ceases`: the network is not served any more, by nobody. */
  async stop(ceases: boolean): Promise<void> {
    await this.#turn;
    if (ceases) await this.#announcer?.cease();
    this.close();
  }

  /** Closing waits for RCU: aside. */
  close(): void {
    for (const { fd, watch } of this.#sockets.splice(0)) {
      watch?.stop();
      close(fd, () => {});
    }
  }
}
