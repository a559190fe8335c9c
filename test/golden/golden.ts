/** Reads what capture.sh recorded: command lines, and the netlink messages each of them sent. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface GoldenMessage {
  readonly type: number;
  readonly flags: number;
  /** What follows the netlink header. */
  readonly data: Buffer;
}

export interface Golden {
  readonly command: string;
  readonly messages: readonly GoldenMessage[];
}

function split(bytes: Buffer): GoldenMessage[] {
  const messages: GoldenMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    // bridge sends the whole of a buffer, zeros behind its message.
    if (length === 0) break;
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      data: bytes.subarray(at + 16, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

export function readGoldens(name: string): Golden[] {
  const goldens: { command: string; messages: GoldenMessage[] }[] = [];
  for (const line of readFileSync(join(import.meta.dirname, name), 'utf8').split('\n')) {
    if (line.startsWith('$ ')) goldens.push({ command: line.slice(2), messages: [] });
    else if (line !== '') goldens.at(-1)?.messages.push(...split(Buffer.from(line, 'hex')));
  }
  return goldens;
}
