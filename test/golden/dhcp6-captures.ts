/** Reads what capture-dhcp.sh recorded of DHCPv6: whole exchanges between clients and servers in use. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Captured6 {
  /** Its type as the capturing program read it, in lower case. */
  readonly name: string;
  /** The payload of the datagram. */
  readonly payload: Buffer;
}

export interface Capture6 {
  /** "dhcpcd-kea6" */
  readonly name: string;
  readonly messages: readonly Captured6[];
}

const FOLDER = join(import.meta.dirname, 'dhcp');
const ETHERNET = 14;
/** Ethernet, IPv6 without extension headers, UDP. */
const HEADERS = ETHERNET + 40 + 8;
const UDP_LENGTH = ETHERNET + 40 + 4;

function payloadOf(digits: string): Buffer {
  const frame = Buffer.from(digits, 'hex');
  return frame.subarray(HEADERS, HEADERS - 8 + frame.readUInt16BE(UDP_LENGTH));
}

function messagesIn(file: string): Captured6[] {
  const lines = readFileSync(join(FOLDER, file), 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' '))
    .map(([name = '', digits = '']) => ({ name, payload: payloadOf(digits) }));
}

/** Captures whose servers spoke DHCPv6: their names have a 6. */
export function captures6(): Capture6[] {
  const files = globSync('*6*.hex', { cwd: FOLDER }).sort();
  return files.map((file) => ({ name: basename(file, '.hex'), messages: messagesIn(file) }));
}
