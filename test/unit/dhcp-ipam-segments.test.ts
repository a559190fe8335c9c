/** Interruptions of the way to the servers, as the host's links show them. */
import t from 'tap';
import { brokenIn } from '../../plugins/dhcp-ipam/resident/link-news.ts';
import { Segments } from '../../plugins/dhcp-ipam/resident/segments.ts';

const up = (index: number) => ({ index, carries: true });
const down = (index: number) => ({ index, carries: false });

t.test('a port that goes and comes', async (t) => {
  const segments = new Segments();
  const see = (...members: { index: number; carries: boolean }[]) => segments.see(['br'], { br: members });
  t.same(see(up(1), up(2)), { back: [], left: false });
  t.same(see(up(1), down(2)), { back: [], left: false });
  t.same(see(up(1), down(2)), { back: [], left: false });
  t.same(see(up(1), up(2)), { back: ['br'], left: false });
  t.same(see(up(1), up(2)), { back: [], left: false });
  t.same(see(up(1)), { back: [], left: true }, 'taken out of the bridge');
  t.same(see(up(1), up(2)), { back: ['br'], left: false }, 'and put in again');
});

t.test('a container that begins is no interruption', async (t) => {
  const segments = new Segments();
  segments.see(['br'], { br: [up(1)] });
  segments.see(['br'], { br: [up(1), down(7)] });
  t.same(segments.see(['br'], { br: [up(1), up(7)] }), { back: [], left: false });
  t.same(segments.see(['br'], { br: [up(1)] }), { back: [], left: true }, 'its end is told');
  t.same(segments.see(['br'], { br: [up(1), up(8)] }), { back: [], left: false });
});

t.test('a break that nobody saw but the kernel', async (t) => {
  const segments = new Segments();
  t.same(segments.see(['br'], { br: [up(1)] }, new Set([1])).back, [], 'it begins');
  t.same(segments.see(['br'], { br: [up(1)] }, new Set([1])).back, ['br']);
  t.same(segments.see(['br'], { br: [up(1), up(7)] }, new Set([7])).back, []);
  t.same(segments.see(['br'], { br: [up(1), up(7)] }, new Set([9])).back, []);
});

t.test('the kernel tells of links that do not carry', async (t) => {
  const message = (type: number, index: number, flags: number, length = 40): Buffer => {
    const bytes = Buffer.alloc(40);
    bytes.writeUInt32LE(length, 0);
    bytes.writeUInt16LE(type, 4);
    bytes.writeInt32LE(index, 20);
    bytes.writeUInt32LE(flags, 24);
    return bytes;
  };
  const [NEWLINK, DELLINK] = [16, 17];
  const all = [
    message(NEWLINK, 1, 0x41),
    message(NEWLINK, 2, 0x1),
    message(DELLINK, 3, 0),
    message(NEWLINK, 4, 0x40),
  ];
  t.same(brokenIn(Buffer.concat(all)), [2, 4]);
  t.same(
    brokenIn(Buffer.concat([message(NEWLINK, 2, 0, 0), message(NEWLINK, 5, 0)])),
    [2],
    'a length that lies',
  );
  t.same(brokenIn(message(NEWLINK, 2, 0).subarray(0, 31)), []);
});

t.test('a segment of its own for each', async (t) => {
  const segments = new Segments();
  segments.see(['br', 'lan0'], { br: [up(1)], lan0: [up(2)] });
  segments.see(['br', 'lan0'], { br: [up(1)], lan0: [down(2)] });
  t.same(segments.see(['br', 'lan0'], { br: [up(1)], lan0: [up(2)] }).back, ['lan0']);
  segments.see(['br', 'lan0'], { br: [up(1)] });
  t.same(segments.see(['br'], { br: [up(1)] }).back, [], 'what no longer matters is forgotten');
  t.same(segments.see(['lan0'], { lan0: [up(2)] }).back, []);
});
