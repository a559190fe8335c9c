/**
 * Whatever bytes come as a message of DHCPv6, the decoder gives a message or throws DecodeError, and what it read it
 * writes so that it reads the same again; and whatever comes from the link, the client stays a client: no address from
 * a server that it did not choose, no message by the thousand. Seeded; set FUZZ_SEED and FUZZ_ROUNDS to look further,
 * or `node test/run.ts --long fuzz`.
 */
import t from 'tap';
import { isDeepStrictEqual } from 'node:util';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { decodeMessage6, encodeMessage6 } from '../../ipam/dhcp/v6/message.ts';
import type { Message6, Options6 } from '../../ipam/dhcp/v6/message.ts';
import { captures6 } from '../golden/dhcp6-captures.ts';
import { Bench } from '../unit/dhcp6-bench.ts';
import { LEASED, SERVER, iaNaOf, iaPdOf } from '../unit/dhcp6-server.ts';
import { DUID, IAID, wishOf } from '../unit/dhcp6-wish.ts';
import { pick, randomOf } from './random.ts';

const LONG = process.env['ATTACK_LONG'] !== undefined;
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121);
const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? (LONG ? 1_000_000 : 10_000));

type Random = () => number;

const PAYLOADS = captures6().flatMap(({ messages }) => messages.map(({ payload }) => payload));

/** Where options begin and how long they are: what an attacker would touch. */
const LENGTHS = [0, 1, 2, 3, 11, 12, 16, 24, 25, 0x7fff, 0xffff];
const CODES = [1, 2, 3, 5, 6, 7, 8, 13, 14, 15, 16, 23, 24, 25, 26, 32, 39, 56, 82, 83, 99];

function number16(random: Random, bytes: Buffer, from: readonly number[]): Buffer {
  if (bytes.length >= 2) bytes.writeUInt16BE(pick(random, from), Math.floor(random() * (bytes.length - 1)));
  return bytes;
}

function mutated(random: Random, data: Buffer): Buffer {
  const bytes = Buffer.from(data);
  const at = Math.floor(random() * bytes.length);
  const to = Math.min(bytes.length, at + Math.floor(random() * 40));
  const ways = [
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]),
    () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), pick(random, PAYLOADS).subarray(4)]),
    () => {
      if (bytes.length > 0) bytes[at] = Math.floor(random() * 256);
      return bytes;
    },
    () => number16(random, bytes, LENGTHS),
    () => number16(random, bytes, CODES),
  ];
  return pick(random, ways)();
}

function mutations(seed: number): { random: Random; data: Buffer } {
  const random = randomOf(seed);
  let data = pick(random, PAYLOADS);
  for (let times = 1 + Math.floor(random() * 3); times > 0; times--) data = mutated(random, data);
  return { random, data };
}

/** undefined: refused. Throws for anything but DecodeError. */
function read(data: Buffer): Message6 | undefined {
  // What follows the message in memory is none of it.
  const guarded = Buffer.concat([data, Buffer.alloc(64, 0xa5)]).subarray(0, data.length);
  try {
    return decodeMessage6(guarded);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

t.test(`messages: ${ROUNDS} mutations from seed ${SEED}`, async (t) => {
  const wrong: string[] = [];
  let refused = 0;
  for (let round = 0; round < ROUNDS && wrong.length < 5; round++) {
    const { data } = mutations(SEED + round);
    try {
      const message = read(data);
      if (message === undefined) refused++;
      else if (!isDeepStrictEqual(decodeMessage6(encodeMessage6(message)), message))
        wrong.push(`seed ${SEED + round}: is read otherwise once it was written ${data.toString('hex')}`);
    } catch (error) {
      wrong.push(`seed ${SEED + round}: ${String(error)} ${data.toString('hex')}`);
    }
  }
  t.strictSame(wrong, []);
  t.ok(refused > ROUNDS / 50 && refused < ROUNDS, `some are refused (${refused}), some are read`);
});

const TERMS = [
  { t1: 0, t2: 0, preferred: 1, valid: 1 },
  { t1: 0, t2: 0, preferred: 0, valid: 0 },
  { t1: 1, t2: 2, preferred: 3, valid: 4 },
  { t1: 0xffffffff, t2: 0xffffffff, preferred: 0xffffffff, valid: 0xffffffff },
  { t1: 5, t2: 1, preferred: 9, valid: 9 },
  { t1: 0, t2: 0xffffffff, preferred: 10, valid: 5 },
  { t1: 0xfffffffe, t2: 0xffffffff, preferred: 0, valid: 0xfffffffe },
  { t1: 1000, t2: 1600, preferred: 2000, valid: 3000 },
];
const EVIL = '000300010badbadbad01';
/** What only a server says that was never asked. */
const EVIL_ADDRESS = '2001:db8:bad::1';

/** Well-formed answers, whatever they say. */
function answerOf(random: Random, server: string, address: string): Options6 {
  const terms = pick(random, TERMS);
  const iaid = random() < 0.9 ? IAID : IAID + 7;
  return {
    serverId: server,
    ...(random() < 0.8 && iaNaOf(iaid, random() < 0.9 ? [address] : [], terms)),
    ...(random() < 0.5 && iaPdOf(iaid, ['2001:db8:8000::/56'], pick(random, TERMS))),
    ...(random() < 0.2 && { status: { code: Math.floor(random() * 8), text: '' } }),
    ...(random() < 0.3 && { preference: 255 }),
    ...(random() < 0.1 && { solMaxRt: pick(random, [0, 60, 86_400, 0xffffffff]) }),
    ...(random() < 0.1 && { informationRefreshTime: pick(random, [0, 600, 0xffffffff]) }),
  };
}

/** As somebody would who sees the client's messages but is not the server that it asked. */
function forge(bench: Bench, random: Random): void {
  const { options } = bench.asked;
  // SOLICIT, REBIND and the like ask every server: there an answer of any is one.
  if (options.serverId === undefined) return;
  bench.answer('REPLY', answerOf(random, EVIL, EVIL_ADDRESS));
  bench.answer('ADVERTISE', answerOf(random, EVIL, EVIL_ADDRESS));
}

function garble(bench: Bench, seed: number): void {
  const message = read(mutations(seed).data);
  if (message === undefined) return;
  const { transaction } = bench.asked;
  bench.receive({ ...message, transaction, options: { ...message.options, clientId: DUID } });
}

function happen(bench: Bench, random: Random, seed: number): void {
  const [held] = bench.lease?.addresses ?? [];
  const events = [
    () => bench.answer(pick(random, ['ADVERTISE', 'REPLY']), answerOf(random, SERVER, LEASED)),
    () => bench.answer(pick(random, ['ADVERTISE', 'REPLY']), answerOf(random, SERVER, LEASED)),
    () => forge(bench, random),
    () => garble(bench, seed),
    () => bench.until(bench.wakeAt ?? bench.now),
    () => bench.after(random() * 100),
    () => bench.feed({ is: 'uncertain' }),
    () => held && bench.feed({ is: 'duplicate', address: held.address }),
  ];
  pick(random, events)();
  if (bench.lease?.addresses.some(({ address }) => address === EVIL_ADDRESS))
    throw new Error(`took ${EVIL_ADDRESS} in ${bench.state}`);
}

const LIVES = ROUNDS / 50;
const EVENTS = 50;

t.test(`clients: ${LIVES} lives of ${EVENTS} events from seed ${SEED}`, async (t) => {
  const states = new Set<string>();
  let messages = 0;
  for (let seed = SEED; seed < SEED + LIVES; seed++) {
    const random = randomOf(seed);
    const wish = { prefixes: seed % 2, stateless: seed % 10 === 0, rapidCommit: seed % 3 === 0 };
    const bench = new Bench(wishOf(wish), { seed });
    try {
      for (let event = 0; event < EVENTS; event++) {
        happen(bench, random, seed * EVENTS + event);
        states.add(bench.state);
      }
    } catch (error) {
      t.fail(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
      return;
    }
    messages = Math.max(messages, bench.sent.length);
  }
  t.ok(states.size >= 8, [...states].join(' '));
  t.ok(messages < 50 * EVENTS, `at most ${messages} messages in a life`);
});
