/** A UDP datagram as it goes over an Ethernet link, all headers of it, for packet sockets (packet(7)). */
import { decodeEthernet, encodeEthernet } from './ethernet.ts';
import { decodeIpv4, encodeIpv4 } from './ipv4.ts';
import { decodeUdp, encodeUdp } from './udp.ts';

/** RFC 2131, section 4.1. */
export const SERVER_PORT = 67;
export const CLIENT_PORT = 68;

export interface End {
  /** "02:00:00:00:00:01" */
  readonly mac: string;
  /** Dotted decimal. */
  readonly address: string;
  readonly port: number;
}

export interface Frame {
  readonly from: End;
  readonly to: End;
  readonly payload: Buffer;
}

export function encodeFrame({ from, to, payload }: Frame): Buffer {
  const ends = { from: from.address, to: to.address };
  const datagram = encodeUdp({ fromPort: from.port, toPort: to.port, payload }, ends);
  const packet = encodeIpv4({ ...ends, payload: datagram });
  return encodeEthernet({ from: from.mac, to: to.mac, payload: packet });
}

/** Throws DecodeError for everything that is no whole and sound UDP datagram in IPv4. */
export function decodeFrame(bytes: Buffer): Frame {
  const ethernet = decodeEthernet(bytes);
  const packet = decodeIpv4(ethernet.payload);
  const { fromPort, toPort, payload } = decodeUdp(packet.payload, packet);
  return {
    from: { mac: ethernet.from, address: packet.from, port: fromPort },
    to: { mac: ethernet.to, address: packet.to, port: toPort },
    payload,
  };
}
