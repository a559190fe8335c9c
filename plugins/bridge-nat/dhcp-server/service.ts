/**
 * One bridge that is served: its sockets on the engine's main loop. Frames are heard on the bridge itself, behind its
 * own filters, and answered through the one port that the client was heard on: an answer that is sent to all is sent to
 * all behind that port, and never out of a network card.
 */
import { close } from 'node:fs';
import { errorText, isErrno } from '../../../lib/base/errors.ts';
import { parseAddress } from '../../../lib/base/ip.ts';
import type { ResidentHost } from '../../../lib/cni/resident.ts';
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
import { SERVER_PORT } from '../../../ipam/dhcp/frame/frame.ts';
import { SERVER_PORT as SERVER_PORT_6 } from '../../../ipam/dhcp/v6/message.ts';
import { Announcer } from './announcer.ts';
import { Leasing, settingsOf } from './leasing.ts';
import type { LeasingHost } from './leasing.ts';
import type { Found } from './looking.ts';

const OP = 'serve DHCP';
/** Frames taken at once, before others have their turn. */
const AT_ONCE = 64;
/** Anybody on the bridge can make the server complain. */
const COMPLAINTS = 20;
const COMPLAINTS_MS = 60_000;
const FRAME_BYTES = 2048;
const ROUTER_SOLICITATION = 133;

export interface ServiceHost extends Pick<ResidentHost, 'runTask' | 'log'>, Pick<LeasingHost, 'endsAt'> {
  readonly reactor: Reactor;
}

export class Service {
  readonly found: Found;
  readonly #host: ServiceHost;
  readonly #sockets: { readonly fd: number; readonly watch?: Watch }[] = [];
  readonly #buffer = Buffer.alloc(FRAME_BYTES);
  #leasing: Leasing | undefined;
  #announcer: Announcer | undefined;
  #complaints = { since: 0, count: 0 };

  private constructor(found: Found, host: ServiceHost) {
    this.found = found;
    this.#host = host;
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
    const { runTask, log, endsAt } = this.#host;
    const note = (line: string): void => this.#note(line);
    const sending = (fd: number) => (port: number, frame: Buffer) => this.#send(fd, port, frame);
    const settings = settingsOf(this.found);
    if (settings !== undefined) {
      const fd = openPacketSocket({ index, protocol: ETH_P_IP, filter: udp4To(SERVER_PORT) });
      const leasing = new Leasing(this.found, settings, { runTask, log, endsAt, note, send: sending(fd) });
      this.#leasing = leasing;
      this.#listen(fd, (frame) => leasing.heard(frame));
      this.#occupyPort(segment);
    }
    if (server.prefixes === undefined || bridge.linkLocal === undefined) return;
    const filter = udp6ToOrIcmp6Of(SERVER_PORT_6, ROUTER_SOLICITATION);
    const fd = openPacketSocket({ index, protocol: ETH_P_IPV6, filter });
    const announcer = new Announcer(this.found, { runTask, note, send: sending(fd) });
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

  #send(fd: number, port: number, frame: Buffer): void {
    try {
      sendFrame(fd, port, frame, OP);
    } catch (error) {
      this.#note(`an answer was not sent: ${errorText(error)}`);
    }
  }

  #note(line: string): void {
    const now = this.#host.reactor.now();
    if (now > this.#complaints.since + COMPLAINTS_MS) this.#complaints = { since: now, count: 0 };
    this.#complaints.count += 1;
    if (this.#complaints.count <= COMPLAINTS) this.#host.log('warning', `${this.found.name}: ${line}`);
  }

  /** Says what is due to be said unasked. */
  tick(now: number): void {
    this.#announcer?.tick(now);
  }

  /** `ceases`: the network is not served any more, by nobody. */
  async stop(ceases: boolean): Promise<void> {
    await this.#leasing?.settled();
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
