/**
 * Whatever comes over the wire, DHCPv4's decoders read it or throw DecodeError, and its client neither crashes nor
 * takes an address of a server that it did not choose. The seeds are captures (test/golden/dhcp). FUZZ_SEED and
 * FUZZ_ROUNDS look elsewhere and further, `npm test -- --long` has a million inputs.
 */
import t from 'tap';
import type { Test } from 'tap';
import { DecodeError } from '../../ipam/dhcp/decode-error.ts';
import { decodeFrame } from '../../ipam/dhcp/frame/frame.ts';
import { client4 } from '../../ipam/dhcp/v4/client.ts';
import { heldLease } from '../../ipam/dhcp/v4/data.ts';
import type { Data4 } from '../../ipam/dhcp/v4/data.ts';
import { decodeMessage, encodeMessage } from '../../ipam/dhcp/v4/message.ts';
import type { Message4 } from '../../ipam/dhcp/v4/message.ts';
import { CLIENT_IDENTIFIER, SERVER_IDENTIFIER, soundOption } from '../../ipam/dhcp/v4/options/known.ts';
import { optionKind } from '../../ipam/dhcp/v4/options/table.ts';
import { parsePrefix } from '../../lib/base/ip.ts';
import { captures4 } from '../golden/dhcp-captures.ts';
import { MAC, WISH } from '../unit/dhcp4-messages.ts';
import { mutateBytes } from './bytes.ts';
import { pick, randomOf } from './random.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20261121);
const isLong = process.env['ATTACK_LONG'] !== undefined;
const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? (isLong ? 1_000_000 : 10_000));
t.setTimeout(60_000 + ROUNDS * 5);

const frames = captures4().map(({ frame }) => frame);
const payloads = frames.map((frame) => decodeFrame(frame).payload);
/** What a server sends. */
const replies = payloads.filter((payload) => payload[0] === 2);

/** Undefined: it is refused as it should be. */
function read<Value>(decode: () => Value): Value | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Every option that can be read can be written, and read again to the same. */
function tryOptions(t: Test, { options }: Message4, round: number): void {
  for (const [code, bytes] of options) {
    const { codec, name } = optionKind(code);
    const value = read(() => codec.decode(bytes));
    if (value === undefined) continue;
    const again = codec.encode(value);
    // Nothing of it was sound: what is left out is not written.
    if (again.length > 0 && JSON.stringify(codec.decode(again)) !== JSON.stringify(value))
      t.fail(`round ${round}: ${name} of ${bytes.toString('hex')}`);
  }
}

function tryAgain(t: Test, message: Message4, round: number): void {
  const again = read(() => decodeMessage(encodeMessage(message)));
  if (JSON.stringify(view(again)) !== JSON.stringify(view(message)))
    t.fail(`round ${round}: not the same again`);
}

function view(message: Message4 | undefined): unknown {
  return (
    message && {
      ...message,
      options: [...message.options].map(([code, bytes]) => [code, bytes.toString('hex')]),
    }
  );
}

t.test(`${ROUNDS} inputs to the decoders, FUZZ_SEED=${SEED}`, async (t) => {
  const random = randomOf(SEED);
  let [read4, slowest] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const isFrame = random() < 0.3;
    const bytes = mutateBytes(random, isFrame ? frames : payloads);
    const begun = performance.now();
    const payload = isFrame ? read(() => decodeFrame(bytes))?.payload : bytes;
    const message = payload && read(() => decodeMessage(payload));
    if (message !== undefined) {
      read4++;
      tryOptions(t, message, round);
      tryAgain(t, message, round);
    }
    slowest = Math.max(slowest, performance.now() - begun);
  }
  t.comment(`${read4} of ${ROUNDS} could be read; the slowest took ${slowest.toFixed(1)} ms`);
  t.ok(read4 > ROUNDS / 10 && read4 < ROUNDS);
});

/** As if it was meant for the client, but for what chance wants otherwise. */
function aimed(random: () => number, message: Message4, data: Data4): Message4 {
  const xid = 'exchange' in data && random() < 0.95 ? data.exchange.xid : message.xid;
  const options = new Map(message.options);
  if (random() < 0.95) options.delete(CLIENT_IDENTIFIER.code);
  return { ...message, xid, options, chaddr: random() < 0.95 ? MAC : message.chaddr };
}

/** Of whom a lease may come in this state; undefined: of anybody. */
function chosenServer(data: Data4): string | undefined {
  if (data.state === 'REQUESTING') return data.offer.server;
  return data.state === 'RENEWING' ? data.lease.server : undefined;
}

const CLIENT = { ...WISH, checkAddress: true };

/** What happens to a client beside messages; undefined where nothing can. */
function happening(
  random: () => number,
  data: Data4,
  now: number,
): Parameters<typeof client4.step>[2] | undefined {
  if (data.state === 'CHECKING')
    return { is: 'checked', taken: random() < 0.2 ? [data.lease.address.replace(/\/.*/, '')] : [] };
  const chance = random();
  const lease = heldLease(data);
  if (chance < 0.05) return { is: 'uncertain' };
  if (chance < 0.07 && lease) return { is: 'duplicate', address: lease.address.replace(/\/.*/, '') };
  const { wakeAt } = client4.resume(CLIENT, data, { now: 0, random });
  return chance < 0.5 && wakeAt !== undefined && wakeAt <= now ? { is: 'time' } : undefined;
}

t.test(`${ROUNDS} inputs to the client, FUZZ_SEED=${SEED}`, async (t) => {
  const random = randomOf(SEED + 1);
  let now = 0;
  let { data } = client4.begin(CLIENT, { now, random });
  const states = new Map<string, number>();
  let holds = 0;
  for (let round = 0; round < ROUNDS; round++) {
    now += random() * pick(random, [100, 10_000, 100_000]);
    const event = happening(random, data, now);
    const chance = { now, random };
    const bytes = random() < 0.5 ? pick(random, replies) : mutateBytes(random, replies);
    const told = read(() => decodeMessage(bytes));
    if (event !== undefined) data = client4.step(CLIENT, data, event, chance).data;
    if (told === undefined) continue;
    const before = data;
    const message = aimed(random, told, data);
    const step = client4.step(
      CLIENT,
      data,
      { is: 'message', message, from: { address: '192.0.2.1' } },
      chance,
    );
    data = JSON.parse(JSON.stringify(step.data)) as Data4;
    states.set(data.state, (states.get(data.state) ?? 0) + 1);
    const got = 'lease' in data && data !== before ? data.lease : undefined;
    if (got === undefined || JSON.stringify(got) === JSON.stringify('lease' in before && before.lease))
      continue;
    holds++;
    parsePrefix(got.address);
    for (const { dst } of got.routes) parsePrefix(dst);
    if ((chosenServer(before) ?? got.server) !== got.server)
      t.fail(`round ${round}: a lease of ${got.server}`);
    if (soundOption(message.options, SERVER_IDENTIFIER) !== got.server)
      t.fail(`round ${round}: of somebody else`);
    if (!['REQUESTING', 'RENEWING', 'REBINDING', 'REBOOTING'].includes(before.state))
      t.fail(`round ${round}: in ${before.state}`);
  }
  t.comment([...states].map(([state, count]) => `${state} ${count}`).join(', '));
  t.ok(states.size >= 7, 'it has been nearly everywhere');
  t.ok(holds > ROUNDS / 1000, `${holds} leases`);
});
