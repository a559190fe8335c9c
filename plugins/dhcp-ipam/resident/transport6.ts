/**
 * DHCPv6 on the link of a container: a UDP socket of its namespace, bound to the interface. The kernel sends from the
 * link-local address; until duplicate address detection is through with that, nothing can be sent (RFC 4862).
 */
import { closeSync } from 'node:fs';
import { isErrno } from '../../../lib/base/errors.ts';
import { isLinkLocal, parseAddress } from '../../../lib/base/ip.ts';
import { openNews } from '../../../lib/netlink/news.ts';
import { RTNLGRP_IPV6_IFADDR } from '../../../lib/netlink/uapi.ts';
import { closeAside } from '../../../lib/system/close-aside.ts';
import { inNetns } from '../../../lib/system/netns.ts';
import type { Reactor, Watch } from '../../../lib/system/reactor.ts';
import { receive } from '../../../lib/system/syscall.ts';
import { openUdpSocket, receiveUdp6, sendUdp } from '../../../lib/system/udp-socket.ts';
import { DecodeError } from '../../../ipam/dhcp/decode-error.ts';
import {
  ALL_SERVERS,
  CLIENT_PORT,
  SERVER_PORT,
  decodeMessage6,
  encodeMessage6,
} from '../../../ipam/dhcp/v6/message.ts';
import type { Message6 } from '../../../ipam/dhcp/v6/message.ts';
import { takeAll } from './transport.ts';
import type { Listener, Transport } from './transport.ts';
import type { Place } from './transport4.ts';

const ANY = parseAddress('::');
const SERVERS = { address: parseAddress(ALL_SERVERS), port: SERVER_PORT };

class Transport6 implements Transport<Message6> {
  readonly #place: Place;
  readonly #socket: number;
  readonly #news: number;
  readonly #watches: readonly Watch[];
  readonly #newsBuffer = Buffer.allocUnsafe(4096);
  #closed = false;

  constructor(place: Place, reactor: Pick<Reactor, 'watch'>, { heard, ready, broken }: Listener<Message6>) {
    this.#place = place;
    const { ifname, netns } = place;
    [this.#socket, this.#news] = inNetns(netns, (): [number, number] => {
      const socket = openUdpSocket({ ifname, local: { address: ANY, port: CLIENT_PORT } });
      try {
        return [socket, openNews(RTNLGRP_IPV6_IFADDR)];
      } catch (error) {
        closeSync(socket);
        throw error;
      }
    });
    this.#watches = [
      reactor.watch(this.#socket, () => takeAll(() => this.#hear(heard), broken)),
      reactor.watch(this.#news, () => {
        takeAll(() => this.#told(), broken);
        ready();
      }),
    ];
  }

  #hear(heard: Listener<Message6>['heard']): boolean {
    const datagram = this.#closed ? undefined : receiveUdp6(this.#socket, 'receive a DHCPv6 message');
    if (datagram === undefined) return false;
    const { data, from } = datagram;
    // Servers and relays of the link answer from a link-local address (RFC 9915, section 13).
    if (!isLinkLocal(parseAddress(from))) return true;
    try {
      heard(decodeMessage6(data), { address: from });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
    return true;
  }

  /** What the news are does not matter: sending is tried again. */
  #told(): boolean {
    return !this.#closed && receive(this.#news, this.#newsBuffer, 'listen for addresses') !== undefined;
  }

  send(message: Message6): boolean {
    try {
      sendUdp(this.#socket, encodeMessage6(message), SERVERS, this.#place.index, 'send a DHCPv6 message');
      return true;
    } catch (error) {
      if (isErrno(error, 'EADDRNOTAVAIL', 'ENETUNREACH')) return false;
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const watch of this.#watches) watch.stop();
    closeAside(this.#socket, this.#news, this.#place.netns.fd);
  }
}

/** Opens it in the namespace, which is closed with it. Throws SystemError, the namespace closed. */
export function openTransport6(
  place: Place,
  reactor: Pick<Reactor, 'watch'>,
  listener: Listener<Message6>,
): Transport<Message6> {
  try {
    return new Transport6(place, reactor, listener);
  } catch (error) {
    closeAside(place.netns.fd);
    throw error;
  }
}
