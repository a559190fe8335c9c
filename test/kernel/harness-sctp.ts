/**
 * SCTP without an SCTP stack: many kernels lack the module, while netfilter tracks and translates the protocol all the
 * same. An INIT chunk (RFC 9260, 3.3.2) goes out through a raw socket, and a raw socket at the far end shows what
 * arrived.
 */
import type { Background } from './harness-process.ts';
import type { Place } from './harness-place.ts';

const IPPROTO_SCTP = 132;
const INIT = 1;
const COMMON_HEADER = 12;
const INIT_CHUNK = 20;

/** One packet: common header and INIT chunk, checksummed as conntrack demands. */
export function initPacket(sourcePort: number, destinationPort: number): Buffer {
  const packet = Buffer.alloc(COMMON_HEADER + INIT_CHUNK);
  packet.writeUInt16BE(sourcePort, 0);
  packet.writeUInt16BE(destinationPort, 2);
  packet.writeUInt8(INIT, COMMON_HEADER);
  packet.writeUInt16BE(INIT_CHUNK, COMMON_HEADER + 2);
  packet.writeUInt32BE(0x6e65746d, COMMON_HEADER + 4); // initiate tag, not zero
  packet.writeUInt32BE(0xffff, COMMON_HEADER + 8); // receiver window
  packet.writeUInt16BE(1, COMMON_HEADER + 12); // outbound streams
  packet.writeUInt16BE(1, COMMON_HEADER + 14); // inbound streams
  packet.writeUInt32BE(1, COMMON_HEADER + 16); // initial TSN
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

/** CRC32c, reflected (RFC 9260, appendix A). */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** Listens for IPv4 SCTP packets of any port; `ports` are the destination ports seen so far. */
export class SctpEar {
  readonly #socat: Background;

  private constructor(socat: Background) {
    this.#socat = socat;
  }

  static async open(place: Place): Promise<SctpEar> {
    // One line of hexadecimal text per packet, forked off so that packets cannot run into each other.
    const print = 'SYSTEM:od -An -v -tx1 -w64 >&2';
    const socat = place.start(['socat', '-d', '-d', '-u', `IP4-RECVFROM:${IPPROTO_SCTP},fork`, print]);
    await socat.until(() => socat.errors.includes('receiving '), 'raw SCTP socket');
    return new SctpEar(socat);
  }

  /** Resolves when an INIT for `port` arrived. */
  async hears(port: number, deadlineMs = 2_000): Promise<void> {
    await this.#socat.until(() => this.ports().includes(port), `SCTP packet for port ${port}`, deadlineMs);
  }

  ports(): number[] {
    const lines = this.#socat.errors.split('\n').filter((line) => /^( [0-9a-f]{2}){32,}$/.test(line));
    return lines.map((line) => Buffer.from(line.replaceAll(' ', ''), 'hex').readUInt16BE(2));
  }

  async close(): Promise<void> {
    await this.#socat.stop();
  }
}

/** Sends one INIT from `place`. */
export async function sendInit(
  place: Place,
  address: string,
  sourcePort: number,
  port: number,
): Promise<void> {
  await place.must(['socat', '-u', 'STDIN', `IP4-SENDTO:${address}:${IPPROTO_SCTP}`], {
    input: initPacket(sourcePort, port),
  });
}
