/**
 * DHCPv4 on the link of a container: whole frames through a packet socket, which works without an address and whatever
 * the namespace does with packets (rp_filter, packet filters); renewals and farewells from the leased address through a
 * UDP socket, so that they find their way to a server behind a router.
 */
import { isErrno } from '../../../lib/base/errors.ts';
import { parseAddress } from '../../../lib/base/ip.ts';
import { closeAside } from '../../../lib/system/close-aside.ts';
import { inNetns } from '../../../lib/system/netns.ts';
import type { Netns } from '../../../lib/system/netns.ts';
import { ETH_P_IP, openPacketSocket, udp4To } from '../../../lib/system/packet-socket.ts';
import type { Reactor, Watch } from '../../../lib/system/reactor.ts';
import { receive, send } from '../../../lib/system/syscall.ts';
import { openUdpSocket, sendUdp } from '../../../lib/system/udp-socket.ts';
import { DecodeError } from '../../../ipam/dhcp/decode-error.ts';
import { BROADCAST_MAC } from '../../../ipam/dhcp/frame/ethernet.ts';
import { CLIENT_PORT, SERVER_PORT, decodeFrame, encodeFrame } from '../../../ipam/dhcp/frame/frame.ts';
import { decodeMessage, encodeMessage } from '../../../ipam/dhcp/v4/message.ts';
import type { Message4 } from '../../../ipam/dhcp/v4/message.ts';
import { takeAll } from './transport.ts';
import type { Listener, Transport } from './transport.ts';

const OP = 'send a DHCP message';
const NOBODY = '0.0.0.0';
const EVERYBODY = '255.255.255.255';
const LARGEST = 9216;

export interface Place {
  readonly netns: Netns;
  readonly ifname: string;
  /** ifindex */
  readonly index: number;
  readonly mac: string;
}

/** Unicast is framed by hand when the kernel cannot: the address is not there yet, or no more. */
export interface ServerLink {
  /** MAC address of the server, or of the relay to it; undefined when nobody knows. */
  readonly serverMac: () => string | undefined;
}

/** A UDP socket on the leased address; undefined where the interface does not have it. Throws SystemError. */
function openOnAddress({ netns, ifname }: Place, address: string): number | undefined {
  const local = { address: parseAddress(address), port: CLIENT_PORT };
  try {
    return inNetns(netns, () => openUdpSocket({ ifname, local }));
  } catch (error) {
    if (isErrno(error, 'EADDRNOTAVAIL', 'EADDRINUSE')) return undefined;
    throw error;
  }
}

class Transport4 implements Transport<Message4> {
  readonly #place: Place;
  readonly #server: ServerLink;
  readonly #packets: number;
  readonly #watch: Watch;
  #closed = false;
  /** By the address they are bound to: open until the end, so that the kernel calls no port unreachable. */
  readonly #datagrams = new Map<string, number>();

  constructor(
    place: Place,
    reactor: Pick<Reactor, 'watch'>,
    { heard, broken }: Listener<Message4>,
    server: ServerLink,
  ) {
    this.#place = place;
    this.#server = server;
    const filter = udp4To(CLIENT_PORT);
    this.#packets = inNetns(place.netns, () =>
      openPacketSocket({ index: place.index, protocol: ETH_P_IP, filter }),
    );
    const buffer = Buffer.allocUnsafe(LARGEST);
    const next = (): boolean => {
      if (this.#closed) return false;
      const length = receive(this.#packets, buffer, 'receive a DHCP message');
      if (length === undefined) return false;
      hear(Buffer.from(buffer.subarray(0, Math.min(length, LARGEST))), heard);
      return true;
    };
    this.#watch = reactor.watch(this.#packets, () => takeAll(next, broken));
  }

  send(message: Message4, to: 'everyone' | string, from: string = NOBODY): boolean {
    const payload = encodeMessage(message);
    const nextHop = this.#server.serverMac();
    if (to === 'everyone') this.#frame(payload, from, EVERYBODY, BROADCAST_MAC);
    else if (!this.#datagram(payload, from, to))
      this.#frame(payload, from, nextHop === undefined ? EVERYBODY : to, nextHop ?? BROADCAST_MAC);
    return true;
  }

  #frame(payload: Buffer, from: string, to: string, nextHop: string): void {
    const { mac } = this.#place;
    const frame = encodeFrame({
      from: { mac, address: from, port: CLIENT_PORT },
      to: { mac: nextHop, address: to, port: SERVER_PORT },
      payload,
    });
    send(this.#packets, frame, OP);
  }

  #datagram(payload: Buffer, from: string, to: string): boolean {
    const fd = this.#datagrams.get(from) ?? openOnAddress(this.#place, from);
    if (fd === undefined) return false;
    this.#datagrams.set(from, fd);
    try {
      sendUdp(fd, payload, { address: parseAddress(to), port: SERVER_PORT }, 0, OP);
      return true;
    } catch (error) {
      if (isErrno(error, 'ENETUNREACH', 'EHOSTUNREACH', 'ENETDOWN', 'EPERM')) return false;
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.stop();
    closeAside(this.#packets, this.#place.netns.fd, ...this.#datagrams.values());
  }
}

/** Opens it in the namespace, which is closed with it. Throws SystemError, the namespace closed. */
export function openTransport4(
  place: Place,
  reactor: Pick<Reactor, 'watch'>,
  listener: Listener<Message4>,
  server: ServerLink,
): Transport<Message4> {
  try {
    return new Transport4(place, reactor, listener, server);
  } catch (error) {
    closeAside(place.netns.fd);
    throw error;
  }
}

function hear(frame: Buffer, heard: Listener<Message4>['heard']): void {
  try {
    const { from, payload } = decodeFrame(frame);
    heard(decodeMessage(payload), { address: from.address, mac: from.mac });
  } catch (error) {
    // Anybody on the LAN may send what cannot be read.
    if (!(error instanceof DecodeError)) throw error;
  }
}
