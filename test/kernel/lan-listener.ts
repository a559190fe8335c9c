/**
 * Hearing frames: tcpdump's own words about each, and its bytes.
 */
import type { Background } from './harness-process.ts';
import type { Place } from './harness.ts';

export interface ListenOptions {
  /** The bridge's namespace when absent. */
  readonly place?: Place;
  readonly ifname?: string;
  /** pcap-filter(7); everything when absent. */
  readonly filter?: string;
}

export interface Frame {
  /** Seconds since 1970, by the machine's clock, when the kernel saw the frame. */
  readonly at: number;
  /** What tcpdump says of it, from the protocol on. */
  readonly text: string;
  /** From the Ethernet header on. */
  readonly bytes: Buffer;
}

/** `1732210000.123456 TEXT`, further lines of text indented, then lines `\t0x0000:  3333 0000 0001 …`. */
function parse(output: string): Frame[] {
  const complete = output.slice(0, output.lastIndexOf('\n') + 1);
  return complete.split(/^(?=\d+\.\d+ )/m).flatMap((block) => {
    const head = /^(\d+\.\d+) /.exec(block);
    if (head === null) return [];
    const lines = block.slice(head[0].length).split('\n');
    const isHex = (line: string) => /^\t0x[0-9a-f]{4}: /.test(line);
    const hex = lines.filter(isHex).map((line) => line.replace(/^\t0x[0-9a-f]{4}: /, ''));
    const text = lines.filter((line) => !isHex(line)).join('\n');
    const bytes = Buffer.from(hex.join('').replace(/\s/g, ''), 'hex');
    return bytes.length < size(bytes) ? [] : [{ at: Number(head[1]), text: text.trim(), bytes }];
  });
}

/** How long a frame is by its own account, the header not yet whole included: tcpdump writes line by line. */
function size(bytes: Buffer): number {
  const ETHERNET = 14;
  if (bytes.length < ETHERNET + 6) return ETHERNET + 6;
  const type = bytes.readUInt16BE(12);
  if (type === 0x86dd) return ETHERNET + 40 + bytes.readUInt16BE(ETHERNET + 4);
  return type === 0x0800 ? ETHERNET + bytes.readUInt16BE(ETHERNET + 2) : ETHERNET + 28;
}

export class LanListener {
  readonly #tcpdump: Background;

  private constructor(tcpdump: Background) {
    this.#tcpdump = tcpdump;
  }

  static async open(place: Place, ifname: string, filter = ''): Promise<LanListener> {
    const argv = ['tcpdump', '-i', ifname, '-l', '-nn', '-v', '-tt', '-xx', '--immediate-mode', '-s', '0'];
    const tcpdump = place.start(filter === '' ? argv : [...argv, filter]);
    await tcpdump.until(() => tcpdump.errors.includes('listening on'), `tcpdump on ${ifname}`);
    return new LanListener(tcpdump);
  }

  /** What was heard so far, each frame as soon as all of it is there. */
  frames(): Frame[] {
    return parse(this.#tcpdump.output);
  }

  /** Resolves with the first frame from the `from`th on that `wanted` accepts, or whose text it matches. */
  async hears(
    wanted: RegExp | ((frame: Frame) => boolean),
    what: string,
    { from = 0, deadlineMs = 5_000 }: { readonly from?: number; readonly deadlineMs?: number } = {},
  ): Promise<Frame> {
    const accepts = wanted instanceof RegExp ? (frame: Frame) => wanted.test(frame.text) : wanted;
    const find = () => this.frames().slice(from).find(accepts);
    await this.#tcpdump.until(() => find() !== undefined, what, deadlineMs);
    const frame = find();
    if (frame === undefined) throw new Error(`${what}: the frame is gone`);
    return frame;
  }

  async stop(): Promise<void> {
    await this.#tcpdump.stop();
  }
}
