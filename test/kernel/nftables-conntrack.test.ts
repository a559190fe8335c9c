/**
 * lib/netlink/conntrack.ts: a UDP flow moves when its port is published, and when it is published by another container.
 */
import { test } from 'tap';
import { flushUdp } from '../../lib/netlink/conntrack.ts';
import { addAttachment, removeAttachment } from '../../lib/nftables/table.ts';
import { attachment, forward, inside, makeBridge, moor, none, withNetfilter } from './nftables-bed.ts';
import { Conversation, lacking, serve, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';

const skip = lacking() ?? false;
const notLast = { ofNetwork: false, onBridge: false, ofAll: false };

for (const [family, host, first, second] of [
  ['IPv4', world.host4, '10.89.0.2', '10.89.0.3'],
  ['IPv6', world.host6, 'fd00:89::2', 'fd00:89::3'],
] as const) {
  test(`a flow moves to the container that has the port: ${family}`, { skip }, async (t) => {
    await withHost(t, (bed) =>
      withNetfilter(bed, async (nf) => {
        await makeBridge(bed);
        const any = family === 'IPv6' ? { address: '::' } : {};
        for (const id of [2, 3]) await serve(await moor(bed, id), 'udp', 53, any);
        await serve(bed, 'udp', 5300, any);
        addAttachment(nf, attachment('c9'), none);
        const a = attachment('c2', { addresses: [first], forwards: [`udp 5300 -> ${first} 53`] });
        const b = attachment('c3', { addresses: [second], forwards: [`udp 5300 -> ${second} 53`] });
        const talk = new Conversation(bed.outside, 'udp', host, 5300, { sourcePort: 4000 });
        t.match(await talk.ask(), { from: 'host' }, 'before the port is published');

        addAttachment(nf, a, none);
        t.match(await talk.ask(), { from: 'host' }, 'it sticks to where it went first');
        t.equal(
          inside(bed, () => flushUdp(nf, a.forwards)),
          1,
        );
        t.match(await talk.ask(), { from: 'c02' });

        removeAttachment(nf, a, notLast);
        addAttachment(nf, b, none);
        t.match(await talk.ask(), { from: 'c02' }, 'still with the old container');
        t.equal(
          inside(bed, () => flushUdp(nf, a.forwards)),
          1,
        );
        t.match(await talk.ask(), { from: 'c03' });
        await talk.close();
      }),
    );
  });
}

async function flows(host: Host): Promise<string[]> {
  const list = await host.must(['conntrack', '-L', '-s', '198.51.100.9']);
  return list
    .trim()
    .split('\n')
    .map((line) => line.replace(/^(udp|tcp) .*? (src=\S+ dst=\S+ sport=\d+ dport=\d+).*$/, '$1 $2'))
    .sort();
}

test('only flows to the mapping are forgotten', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await makeBridge(host);
      addAttachment(nf, attachment('c2'), none);
      const add = (protocol: string, to: string, port: number, from = 4000) =>
        host.must([
          'conntrack',
          '-I',
          '-p',
          protocol,
          '-s',
          '198.51.100.9',
          '-d',
          to,
          '--sport',
          String(from),
          '--dport',
          String(port),
          '-t',
          '300',
          ...(protocol === 'tcp' ? ['--state', 'ESTABLISHED'] : []),
        ]);
      await add('udp', world.host4, 53);
      await add('udp', world.host4, 53, 4001);
      await add('udp', '10.89.0.1', 53);
      await add('udp', world.host4, 54);
      await add('udp', world.host4, 60);
      await add('udp', '192.0.2.77', 53);
      await add('tcp', world.host4, 53);
      const all = await flows(host);
      t.equal(all.length, 7);
      const flush = (...texts: string[]) => inside(host, () => flushUdp(nf, texts.map(forward)));
      t.equal(flush('udp 203.0.113.2 53 -> 10.89.0.2 53'), 2, 'on one address');
      t.equal(flush('udp 53 -> 10.89.0.2 53'), 1, 'on every address of the host');
      t.equal(flush('udp 53 -> fd00:89::2 53'), 0, 'of its family');
      t.equal(flush('udp 50+10 -> 10.89.0.2 50', 'udp 70 -> 10.89.0.2 70'), 1, 'a range');
      t.strictSame(
        await flows(host),
        [
          'tcp src=198.51.100.9 dst=203.0.113.2 sport=4000 dport=53',
          'udp src=198.51.100.9 dst=192.0.2.77 sport=4000 dport=53',
          'udp src=198.51.100.9 dst=203.0.113.2 sport=4000 dport=60',
        ],
        'not TCP, not what went elsewhere, not other ports',
      );
    }),
  );
});

test('nothing to forget', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      t.equal(
        inside(host, () => flushUdp(nf, [])),
        0,
      );
      t.equal(
        inside(host, () => flushUdp(nf, [forward('udp 53 -> 10.89.0.2 53')])),
        0,
      );
    }),
  );
});
