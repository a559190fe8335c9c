/**
 * Traffic between places: servers that tell the asker who they are and whom they see, and clients that ask them.
 * The answer carries the peer's address as the server saw it, which is what shows masquerading and redirection.
 */
import type { Background } from './harness-process.ts';
import type { Place } from './harness-place.ts';

export type Transport = 'tcp' | 'udp';

export interface Answer {
  /** The name of the place that answered. */
  readonly from: string;
  /** The asker's address and port as the server saw them. */
  readonly peer: string;
  readonly peerPort: number;
}

export interface ServeOptions {
  /** The address to listen on; every IPv4 address when absent, every IPv6 one for `::`. */
  readonly address?: string;
  /** What the server calls itself; its place's name when absent. */
  readonly name?: string;
}

export interface AskOptions {
  readonly sourcePort?: number;
  /** How long an answer may take. Expecting silence costs this long. */
  readonly deadlineMs?: number;
}

const ANSWER_MS = 2_000;

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

function quoted(address: string): string {
  return familyOf(address) === 6 ? `[${address}]` : address;
}

/** The server side; resolves when its socket is bound, so the first question cannot be too early. */
export async function serve(
  place: Place,
  transport: Transport,
  port: number,
  options: ServeOptions = {},
): Promise<Background> {
  const address = options.address ?? '0.0.0.0';
  const kind = transport === 'tcp' ? `TCP${familyOf(address)}-LISTEN` : `UDP${familyOf(address)}-RECVFROM`;
  const only6 = familyOf(address) === 6 ? ',ipv6only=1' : '';
  const listen = `${kind}:${port},fork,reuseaddr,bind=${quoted(address)}${only6}`;
  // A datagram must be read before the answer: a socket closed with data unread takes what was written along.
  const listenFirst = transport === 'udp' ? 'read question; ' : '';
  const reply = `SYSTEM:${listenFirst}echo ${options.name ?? place.name} $SOCAT_PEERADDR $SOCAT_PEERPORT`;
  const server = place.start(['socat', '-d', '-d', listen, reply]);
  await server.until(
    () => /listening on|receiving on/.test(server.errors),
    `server on ${transport} port ${port}`,
  );
  return server;
}

/** Asks once; undefined when nothing came back in time or the connection was refused. */
export async function ask(
  place: Place,
  transport: Transport,
  address: string,
  port: number,
  options: AskOptions = {},
): Promise<Answer | undefined> {
  const conversation = new Conversation(place, transport, address, port, options);
  try {
    return await conversation.ask(options.deadlineMs);
  } finally {
    await conversation.close();
  }
}

/** One client socket kept open: every datagram asked through it belongs to the same UDP flow. */
export class Conversation {
  readonly #socat: Background;
  readonly #transport: Transport;
  #read = 0;

  constructor(
    place: Place,
    transport: Transport,
    address: string,
    port: number,
    options: { sourcePort?: number } = {},
  ) {
    const kind = `${transport.toUpperCase()}${familyOf(address)}`;
    const source = options.sourcePort === undefined ? '' : `,sourceport=${options.sourcePort},reuseaddr`;
    this.#transport = transport;
    this.#socat = place.start(['socat', 'STDIO', `${kind}:${quoted(address)}:${port}${source}`]);
  }

  async ask(deadlineMs: number = ANSWER_MS): Promise<Answer | undefined> {
    // A TCP server speaks first and closes: words sent to it unread would turn its close into a reset.
    if (this.#transport === 'udp') this.#socat.write('?\n');
    if (!(await this.#socat.line(this.#read, deadlineMs))) return undefined;
    const end = this.#socat.output.indexOf('\n', this.#read);
    const line = this.#socat.output.slice(this.#read, end);
    this.#read = end + 1;
    const [from = '', peer = '', peerPort = ''] = line.split(' ');
    return { from, peer: shortened(peer), peerPort: Number(peerPort) };
  }

  async close(): Promise<void> {
    await this.#socat.stop();
  }
}

/**
 * socat writes IPv6 addresses at full length and in brackets; URL parsing (WHATWG 3.5) writes them as RFC 5952 does.
 */
function shortened(address: string): string {
  return address.startsWith('[') ? new URL(`http://${address}`).hostname.slice(1, -1) : address;
}
