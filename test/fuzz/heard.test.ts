/**
 * What is read without being refused, or with an error of its own: the news of nftables, frames of whoever is on a
 * link, requests to the engine and its answers.
 */
import fc from 'fast-check';
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { MalformedFrame, PROTOCOL, decodeAnswer, decodeRequest } from '../../lib/engine/protocol.ts';
import { readNews } from '../../lib/nftables/news.ts';
import { encodeMessage } from '../../lib/netlink/message.ts';
import { arpProbe, holderIn, neighbourSolicitation } from '../../lib/system/neighbour-probe.ts';
import { readGoldens } from '../golden/golden.ts';
import { editedBytes, guarded } from './byte-edits.ts';
import { asking } from './properties.ts';

const MAC = Buffer.from('02005e000001', 'hex');
const [FOUR, SIX] = [parseAddress('10.77.0.2'), parseAddress('fd00:77::2')];

t.test('news of nftables', async (t) => {
  const news = readGoldens('nft.hex').map(({ messages }) =>
    Buffer.concat(messages.flatMap((each) => encodeMessage({ ...each, seq: 1 }))),
  );
  const concerns = new Set<string | undefined>();
  const told = fc.property(editedBytes(news), (data) => {
    const { concern, by = '' } = readNews(guarded(data));
    concerns.add(concern);
    return [undefined, 'tables', 'ways'].includes(concern) && by.length <= data.length;
  });
  fc.assert(told, asking(5000));
  t.ok(concerns.has('tables') && concerns.size > 1, [...concerns].join());
});

/** An answer to the question, as far as it is looked at: a reply in ARP, an advertisement in neighbour discovery. */
function answers(): Buffer[] {
  const arp = arpProbe(MAC, FOUR);
  arp[21] = 2;
  arp.copy(arp, 28, 38, 42);
  const advertisement = neighbourSolicitation(MAC, SIX);
  advertisement[54] = 136;
  return [arp, advertisement];
}

t.test('frames of neighbours', async (t) => {
  const found = { somebody: 0, nobody: 0 };
  const named = fc.property(editedBytes(answers()), (data) => {
    const frame = guarded(data);
    return [FOUR, SIX].every((address) => {
      const holder = holderIn(frame, address);
      found[holder ? 'somebody' : 'nobody']++;
      return holder === undefined || holder.length === 6;
    });
  });
  t.same(
    answers().map((frame) => [FOUR, SIX].map((address) => holderIn(frame, address)?.equals(MAC))),
    [
      [true, undefined],
      [undefined, true],
    ],
  );
  fc.assert(named, asking(5000));
  t.ok(found.somebody > 0 && found.nobody > 0, JSON.stringify(found));
});

t.test('requests to the engine, and its answers', async (t) => {
  const head = { protocol: PROTOCOL, version: '0.1.0' };
  const plugin = {
    program: 'bridge-nat',
    environment: { CNI_COMMAND: 'ADD' },
    stdin: 'e30=',
    deadline: 1000,
  };
  const bodies = (...values: object[]): Buffer[] => values.map((value) => Buffer.from(JSON.stringify(value)));
  const ends: readonly (readonly [string, (body: Uint8Array) => unknown, Buffer[]])[] = [
    [
      'requests',
      decodeRequest,
      bodies({ ...head, kind: 'plugin', netns: '4:1', mntns: '4:2', ...plugin }, { ...head, kind: 'status' }),
    ],
    [
      'answers',
      decodeAnswer,
      bodies(
        { exitCode: 0, stdout: '', stderr: '' },
        { refused: { kind: 'malformed', message: 'no', details: '' } },
      ),
    ],
  ];
  for (const [what, decode, seeds] of ends) {
    for (const seed of seeds) t.ok(decode(seed), what);
    const counted = { read: 0, refused: 0 };
    const taken = fc.property(editedBytes(seeds), (body) => {
      try {
        decode(guarded(body));
        counted.read++;
        return true;
      } catch (error) {
        counted.refused++;
        return error instanceof MalformedFrame;
      }
    });
    fc.assert(taken, asking(5000));
    t.ok(counted.read > 0 && counted.refused > 0, `${what}: ${JSON.stringify(counted)}`);
  }
});
