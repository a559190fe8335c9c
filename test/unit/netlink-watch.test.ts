/** lib/netlink/watch.ts over a made-up kernel: what happens between two looks, and notifications that were lost. */
import t from 'tap';
import { parseAddress } from '../../lib/base/ip.ts';
import { encodeAddress } from '../../lib/netlink/address-codec.ts';
import { encodeLink } from '../../lib/netlink/link-codec.ts';
import {
  AF_INET6,
  IFA_F_DADFAILED,
  IFA_F_TENTATIVE,
  IF_OPER_UP,
  RTM_GETADDR,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from '../../lib/netlink/uapi.ts';
import { untilDetected, untilLinkUp } from '../../lib/netlink/watch.ts';
import { FakeKernel, answer, done, notification } from './netlink-fake-kernel.ts';

const LOCAL = parseAddress('fd00::2');

function addressWith(flags: number): Buffer {
  return encodeAddress({ family: AF_INET6, length: 64, index: 7, attributes: { local: LOCAL, flags } });
}

/** A kernel with one address, whose flags follow from the time. */
function detecting(flagsAt: (now: number) => number): FakeKernel {
  return new FakeKernel(({ type }, { now }) =>
    type === RTM_GETADDR ? [[{ type: RTM_NEWADDR, data: addressWith(flagsAt(now)) }], [done()]] : [],
  );
}

function detected(kernel: FakeKernel, milliseconds = 5000): object {
  const { duplicate, undecided } = untilDetected(kernel.socket(), 7, milliseconds, () => kernel.now);
  return { duplicate: duplicate.length, undecided: undecided.length, after: kernel.now - 1000 };
}

t.test('detection ends with the notification', async (t) => {
  const kernel = detecting((now) => (now < 1800 ? IFA_F_TENTATIVE : 0));
  kernel.later(800, [notification(RTM_NEWADDR)]);
  t.strictSame(detected(kernel), { duplicate: 0, undecided: 0, after: 800 });
});

t.test('an overflow is no failure: the state is asked again, and waiting goes on', async (t) => {
  const kernel = detecting((now) => (now < 1800 ? IFA_F_TENTATIVE : IFA_F_TENTATIVE | IFA_F_DADFAILED));
  kernel.later(300, 'ENOBUFS');
  kernel.later(800, [notification(RTM_NEWADDR)]);
  t.strictSame(detected(kernel), { duplicate: 1, undecided: 0, after: 800 });
});

t.test('what overflows while the addresses are listed is no failure either', async (t) => {
  let asked = 0;
  const kernel = new FakeKernel(() => {
    asked++;
    const data = addressWith(asked > 1 ? 0 : IFA_F_TENTATIVE);
    return [...(asked === 1 ? ['ENOBUFS' as const] : []), [{ type: RTM_NEWADDR, data }], [done()]];
  });
  t.strictSame(detected(kernel), { duplicate: 0, undecided: 0, after: 0 });
});

t.test('a notification between an address and the end of its list is not missed', async (t) => {
  let asked = 0;
  const kernel = new FakeKernel(() => {
    asked++;
    const told = asked === 1 ? [[notification(RTM_NEWADDR)]] : [];
    return [[{ type: RTM_NEWADDR, data: addressWith(asked > 1 ? 0 : IFA_F_TENTATIVE) }], ...told, [done()]];
  });
  t.strictSame(detected(kernel), { duplicate: 0, undecided: 0, after: 0 });
});

t.test('waiting for detection ends with its time', async (t) => {
  t.strictSame(
    detected(
      detecting(() => IFA_F_TENTATIVE),
      700,
    ),
    { duplicate: 0, undecided: 1, after: 700 },
  );
});

t.test('a link that comes up behind an overflow', async (t) => {
  const listener = new FakeKernel(() => []);
  listener.later(40, 'ENOBUFS');
  listener.later(90, [notification(RTM_NEWLINK)]);
  const kernel = new FakeKernel(() => {
    const data = encodeLink({ name: 'near', operstate: listener.now < 1090 ? 2 : IF_OPER_UP }, { index: 7 });
    return [[{ type: RTM_NEWLINK, data }], [answer()]];
  });
  const now = (): number => listener.now;
  t.equal(
    untilLinkUp(kernel.socket(), 7, 5000, now, () => listener.socket()),
    true,
  );
  t.equal(listener.now, 1090);
  t.equal(listener.closed, true, 'nobody listens any more');
});
