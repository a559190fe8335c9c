/** Reads what capture-dhcp.sh recorded: the frames of whole exchanges, each behind the name of its message type. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dirname, 'dhcp');

export interface Capture {
  /** "udhcpc-dnsmasq #3 offer" */
  readonly name: string;
  readonly file: string;
  readonly type: string;
  /** The whole Ethernet frame. */
  readonly frame: Buffer;
}

function framesOf(file: string): Capture[] {
  const lines = readFileSync(join(FOLDER, file), 'utf8').split('\n');
  const frames = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const title = file.replace(/\.hex$/, '');
  return frames.map((line, index) => {
    const [type = '', hex = ''] = line.split(' ');
    return { name: `${title} #${index + 1} ${type}`, file: title, type, frame: Buffer.from(hex, 'hex') };
  });
}

/** Those of DHCPv4; files of DHCPv6 have a 6 behind the server's name. */
export function captures4(): Capture[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.hex'));
  return files
    .filter((file) => !/6(-|\.)/.test(file))
    .sort()
    .flatMap(framesOf);
}
