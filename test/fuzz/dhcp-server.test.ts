/**
 * Whatever frames come from the link, the server answers or keeps silent: nothing is thrown but DecodeError, and an
 * address is given to nobody but who asked, out of its pool. Seeded; set FUZZ_SEED and FUZZ_ROUNDS to look further, or
 * `node test/run.ts --long fuzz`.
 */
import t from 'tap';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { decodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { isSolicitation } from '../../ipam/dhcp/server/advertisement.ts';
import type { Binding, Bindings } from '../../ipam/dhcp/server/bindings.ts';
import { decodeFrame6, udpPayload } from '../../ipam/dhcp/server/ipv6-frame.ts';
import { destinationOf, messageOf, queryOf } from '../../ipam/dhcp/server/messages.ts';
import { serve } from '../../ipam/dhcp/server/serve.ts';
import { statelessReply } from '../../ipam/dhcp/server/stateless.ts';
import { decodeMessage, encodeMessage } from '../../ipam/dhcp/v4/message.ts';
import { decodeMessage6, encodeMessage6 } from '../../ipam/dhcp/v6/message.ts';
import { clientName } from '../../ipam/dhcp/server/identity.ts';
import { captures4 } from '../golden/dhcp-captures.ts';
import { captures6 } from '../golden/dhcp6-captures.ts';
import { pick, randomOf } from './random.ts';

const LONG = process.env['ATTACK_LONG'] !== undefined;
const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121);
const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? (LONG ? 1_000_000 : 10_000));
const DNS = { nameservers: ['fd00::53', '192.0.2.53'], search: ['lab.example'] };
const SETTINGS = { address: '192.0.2.1/24', routes: [], dns: DNS, mtu: 1500 };
const SERVING = { address: '192.0.2.1/24', leaseSeconds: 600 };
/** Ethernet, IPv4 and UDP without options: where the message begins. */
const HEADERS = 42;

function mutated(random: () => number, data: Buffer): Buffer {
  const bytes = Buffer.from(data);
  const at = Math.floor(random() * bytes.length);
  const to = Math.min(bytes.length, at + Math.floor(random() * 60));
  const ways = [
    () => bytes.subarray(0, at),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]),
    () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]),
    () => {
      for (let count = 0; count <= random() * 4; count++)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      return bytes;
    },
  ];
  return pick(random, ways)();
}

/** Returns undefined for what cannot be read. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

t.test('DHCPv4', async (t) => {
  const random = randomOf(SEED);
  const frames = captures4().map(({ frame }) => frame);
  const held = new Map<string, Binding>();
  const owner = (address: string): string | undefined =>
    [...held].find(([, binding]) => binding.address === address)?.[0];
  const inPool = (address: string): boolean => /^192\.0\.2\.1\d\d$/.test(address);
  const bindings: Bindings = {
    of: (client) => held.get(client),
    canHave: (client, address) => inPool(address) && [undefined, client].includes(owner(address)),
    choose: (client, wish) => (wish && bindings.canHave(client, wish) ? wish : '192.0.2.199'),
  };
  const seen = { read: 0, answered: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const frame = pick(random, frames);
    attempt(() => decodeFrame(mutated(random, frame)));
    const message = attempt(() => decodeMessage(mutated(random, frame.subarray(HEADERS))));
    const query = message && queryOf(message);
    if (query === undefined) continue;
    seen.read += 1;
    const { answer, change } = serve(SERVING, query, bindings, round);
    if (change?.is === 'hold') {
      if (!inPool(change.binding.address))
        t.fail(`${change.binding.address} of seed ${SEED}, round ${round}`);
      held.set(clientName(query), change.binding);
      if (held.size > 20) held.clear();
    }
    if (change?.is === 'drop') held.delete(clientName(query));
    if (answer === undefined) continue;
    seen.answered += 1;
    const bytes = encodeMessage(messageOf(query, answer, SETTINGS), query.limit);
    const read = decodeMessage(bytes);
    if (read.xid !== query.xid || read.chaddr !== query.mac)
      t.fail(`an answer to somebody else, round ${round}`);
    if (query.limit !== undefined && bytes.length > query.limit) t.fail(`too long, round ${round}`);
    destinationOf(query, answer);
  }
  t.ok(seen.answered > ROUNDS / 100, `many were answered: ${JSON.stringify(seen)}`);
});

t.test('IPv6', async (t) => {
  const random = randomOf(SEED);
  const payloads = captures6().flatMap(({ messages }) => messages.map(({ payload }) => payload));
  let answered = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutated(random, pick(random, payloads));
    attempt(() => isSolicitation(decodeFrame6(bytes)));
    attempt(() => udpPayload(bytes));
    const message = attempt(() => decodeMessage6(bytes));
    if (message === undefined) continue;
    const reply = statelessReply(message, '00030001020000000001', DNS);
    if (reply === undefined) continue;
    answered += 1;
    if (decodeMessage6(encodeMessage6(reply)).transaction !== message.transaction) t.fail(`round ${round}`);
  }
  t.ok(answered > ROUNDS / 1000, `${answered} were answered`);
});
