/** The IPv6 side of a served bridge: router advertisements, asked for or not, and answers of stateless DHCPv6. */
import { errorText } from '../../../lib/base/errors.ts';
import type { ResidentHost } from '../../../lib/cni/resident.ts';
import { DecodeError } from '../../../ipam/dhcp/decode-error.ts';
import {
  ALL_NODES,
  HOPS,
  LONGEST_INTERVAL,
  SHORTEST_INTERVAL,
  isSolicitation,
  routerAdvertisement,
} from '../../../ipam/dhcp/server/advertisement.ts';
import {
  ICMPV6,
  UDP,
  decodeFrame6,
  encodeFrame6,
  groupMac,
  udpDatagram,
  udpPayload,
} from '../../../ipam/dhcp/server/ipv6-frame.ts';
import type { Frame6 } from '../../../ipam/dhcp/server/ipv6-frame.ts';
import { linkDuid, statelessReply, tellsDns } from '../../../ipam/dhcp/server/stateless.ts';
import { CLIENT_PORT, SERVER_PORT, decodeMessage6, encodeMessage6 } from '../../../ipam/dhcp/v6/message.ts';
import type { Found } from './looking.ts';

/** RFC 4861, section 10: the first ones come sooner, so that a lost one is of no account. */
const INITIAL = 3;
const INITIAL_MS = 16_000;
/** Questions in hand at once. */
const MOST_ASKED = 64;
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/;

export interface AnnouncerHost extends Pick<ResidentHost, 'runTask'> {
  readonly send: (port: number, frame: Buffer) => void;
  /** For the log, sparingly. */
  readonly note: (line: string) => void;
}

export class Announcer {
  readonly #found: Found;
  readonly #host: AnnouncerHost;
  #said = 0;
  #due = 0;
  #asked = 0;

  constructor(found: Found, host: AnnouncerHost) {
    this.#found = found;
    this.#host = host;
  }

  tick(now: number): void {
    if (now < this.#due) return;
    this.#said += 1;
    const spread = LONGEST_INTERVAL - SHORTEST_INTERVAL;
    const interval = this.#said < INITIAL ? INITIAL_MS : (SHORTEST_INTERVAL + Math.random() * spread) * 1000;
    this.#due = now + interval;
    void this.#announce(false);
  }

  async cease(): Promise<void> {
    await this.#announce(true);
  }

  heard(bytes: Buffer): void {
    try {
      const frame = decodeFrame6(bytes);
      if (isSolicitation(frame)) this.#toPort(frame, () => this.#advertisement(frame));
      else if (frame.protocol === UDP) this.#inform(frame);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  #inform(frame: Frame6): void {
    const { fromPort, toPort, data } = udpPayload(frame.payload);
    if (fromPort !== CLIENT_PORT || toPort !== SERVER_PORT || !LINK_LOCAL.test(frame.from.address)) return;
    const { bridge, server } = this.#found;
    const reply = statelessReply(decodeMessage6(data), linkDuid(bridge.mac), server.dns);
    if (reply === undefined) return;
    const payload = udpDatagram(SERVER_PORT, CLIENT_PORT, encodeMessage6(reply));
    this.#toPort(frame, () => this.#frame(frame.from, UDP, payload));
  }

  /** Who asks is answered through the port that he was heard on, if that is served. */
  #toPort({ from }: Frame6, answer: () => Buffer): void {
    if (this.#asked >= MOST_ASKED) return;
    this.#asked += 1;
    void this.#ports(from.mac)
      .then((ports) => {
        for (const port of ports) this.#host.send(port, answer());
      })
      .catch((error: unknown) => this.#host.note(errorText(error)))
      .finally(() => {
        this.#asked -= 1;
      });
  }

  async #ports(mac?: string): Promise<readonly number[]> {
    const { bridge, server } = this.#found;
    const which = { bridge: bridge.index, ports: server.ports, ...(mac === undefined ? {} : { mac }) };
    return (await this.#host.runTask('dhcp-server/ports', which)) as unknown as readonly number[];
  }

  async #announce(ceases: boolean): Promise<void> {
    try {
      const frame = this.#advertisement(undefined, ceases);
      for (const port of await this.#ports()) this.#host.send(port, frame);
    } catch (error) {
      this.#host.note(errorText(error));
    }
  }

  /** To whoever asked, or to all: to him as well when he has no address yet. */
  #advertisement(asked?: Frame6, ceases = false): Buffer {
    const { bridge, server } = this.#found;
    const { prefixes = [], dns, mtu } = server;
    const payload = routerAdvertisement({
      mac: bridge.mac,
      prefixes,
      dns,
      ...(mtu === undefined ? {} : { mtu }),
      other: tellsDns(dns),
      ceases,
    });
    const all = { mac: groupMac(ALL_NODES), address: ALL_NODES };
    return this.#frame(asked && LINK_LOCAL.test(asked.from.address) ? asked.from : all, ICMPV6, payload);
  }

  #frame(to: Frame6['to'], protocol: number, payload: Buffer): Buffer {
    const { bridge } = this.#found;
    const from = { mac: bridge.mac, address: bridge.linkLocal ?? '::' };
    return encodeFrame6({ from, to, protocol, hops: HOPS, payload });
  }
}
