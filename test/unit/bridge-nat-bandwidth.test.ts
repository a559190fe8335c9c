/** Bandwidth limits: what is asked for, and the arithmetic of token buckets. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { NS_PER_TICK, isSameBurst, tbfOf } from '../../lib/netlink/tbf.ts';
import { readBandwidth } from '../../plugins/bridge-nat/bandwidth/bandwidth.ts';
import { hostIfnameFor, ifbNameFor, isHostIfname, isIfbName } from '../../plugins/bridge-nat/names.ts';

const MAX_UINT32 = 0xffffffff;

t.test('what is asked for', async (t) => {
  t.equal(readBandwidth({}), undefined, 'nothing');
  t.equal(
    readBandwidth({}, { ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0 }),
    undefined,
    'nothing, as go-cni says it',
  );
  t.strictSame(
    readBandwidth({}, { ingressRate: 1000, ingressBurst: MAX_UINT32, egressRate: 0, egressBurst: 0 }),
    {
      ingress: { rate: 1000, burst: MAX_UINT32 },
    },
  );
  t.strictSame(readBandwidth({ egressRate: 16, egressBurst: 8 }), { egress: { rate: 16, burst: 8 } });
  const both = { ingressRate: 1, ingressBurst: 2, egressRate: 3, egressBurst: 4 };
  t.strictSame(
    readBandwidth({ egressRate: 80, egressBurst: 80 }, both),
    { egress: { rate: 80, burst: 80 } },
    'the config overrides the runtime as a whole',
  );
  t.equal(
    readBandwidth({ ingressRate: 0 }, { egressRate: 80, egressBurst: 80 }),
    undefined,
    'with a zero, too',
  );
});

t.test('what is refused', async (t) => {
  const cases = [
    [{ ingressRate: 1000 }, /ingressRate is given without ingressBurst/],
    [{ egressBurst: 1000 }, /egressBurst is given without egressRate/],
    [{ ingressRate: 1000, ingressBurst: 0 }, /without ingressBurst/],
    [{ ingressRate: 7, ingressBurst: 1000 }, /ingressRate: 7 bit\/s/],
    [{ egressRate: 1000, egressBurst: MAX_UINT32 * 8 }, /egressBurst: .* 4 GB/],
    [{ egressRate: 2 ** 65, egressBurst: 1000 }, /egressRate: .* 64 bits/],
    [{ ingressRate: 1e300, ingressBurst: 1000 }, /ingressRate: .* 64 bits/],
  ] as const;
  for (const [bandwidth, complaint] of cases) {
    t.throws(() => readBandwidth(bandwidth), { kind: 'bad-config', message: complaint });
    t.throws(() => readBandwidth({}, bandwidth), { kind: 'bad-config', message: complaint });
  }
  t.ok(readBandwidth({ egressRate: 1000, egressBurst: MAX_UINT32 * 8 - 1 }), 'a bit less will do');
});

t.test('the queue: what the rate moves in the latency, and the burst', async (t) => {
  t.strictSame(tbfOf(1_000_000, 100_000, 25), { rate: 1_000_000, burst: 100_000, limit: 125_000 });
  t.equal(tbfOf(1, 100, 25).limit, 100);
  t.equal(tbfOf(2 ** 50, MAX_UINT32, 25).limit, MAX_UINT32, 'the kernel counts in 32 bits');
});

t.test('a burst is recognised by the time it takes', async (t) => {
  const wanted = tbfOf(1_000_000, 100_000, 25);
  const told = (ticks: number) => ({ rate: wanted.rate, limit: wanted.limit, ticks });
  t.ok(isSameBurst(wanted, told(1_562_500)));
  t.ok(isSameBurst(wanted, told(1_562_499)), 'rounded');
  t.notOk(isSameBurst(wanted, told(1_562_400)));
  t.notOk(isSameBurst(wanted, told(2_562_500)));
  // 536870911 bytes at 125 bytes a second are 67108863875000 ticks, of which the kernel tells the last 32 bits.
  const slow = tbfOf(125, MAX_UINT32 >>> 3, 25);
  const ticks = Number(67_108_863_875_000n % 2n ** 32n);
  t.ok(isSameBurst(slow, { rate: 125, limit: slow.limit, ticks }));
  t.notOk(isSameBurst(slow, { rate: 125, limit: slow.limit, ticks: ticks - 100_000_000 }));
});

t.test('a tick is what this kernel says it is', async (t) => {
  const [perMicrosecond = '', perTick = ''] = readFileSync('/proc/net/psched', 'utf8').split(' ');
  t.equal(Number.parseInt(perMicrosecond, 16), 1000, 'nanoseconds');
  t.equal(BigInt(Number.parseInt(perTick, 16)), NS_PER_TICK);
});

t.test('an IFB is named as its veth is', async (t) => {
  const key = { network: 'harbour', containerId: 'c1', ifname: 'eth0' };
  t.match(ifbNameFor(key), /^nmb[0-9a-f]{11}$/);
  t.equal(ifbNameFor(key).slice(3), hostIfnameFor(key).slice(3));
  t.ok(isIfbName(ifbNameFor(key)));
  t.notOk(isIfbName(hostIfnameFor(key)));
  t.notOk(isHostIfname(ifbNameFor(key)));
});
