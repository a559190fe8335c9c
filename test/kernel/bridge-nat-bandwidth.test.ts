/**
 * Bandwidth limits: the kernel's parameters beside those of the reference plugin, traffic that is held back, nothing
 * left.
 */
import t from 'tap';
import { addChainMust } from './harness-chain.ts';
import type { NetworkList } from './harness-chain.ts';
import { REFERENCE_PLUGINS } from './harness-cni.ts';
import { lacking, until, withHost, without } from './harness.ts';
import type { Host, Place, Reporter, Snapshot } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import type { Bandwidth } from './moorings.ts';
import { asked } from './netmoor-command.ts';

const skip = lacking() ?? false;
t.setTimeout(300_000);

const MAX_UINT32 = 0xffffffff;
const LIMITED: Bandwidth = {
  ingressRate: 8_000_000,
  ingressBurst: 800_000,
  egressRate: 16_000_000,
  egressBurst: 1_600_000,
};

/** One entry of `tc -s -j qdisc show`. */
interface Shown {
  readonly kind: string;
  readonly dev: string;
  readonly handle: string;
  readonly options: { readonly rate?: number; readonly burst?: number; readonly lat?: number };
  readonly bytes: number;
  readonly overlimits: number;
}

async function qdiscs(place: Place): Promise<Shown[]> {
  return JSON.parse(await place.must(['tc', '-s', '-j', 'qdisc', 'show'])) as Shown[];
}

/** The token buckets: that of what goes to the container, and of what comes from it. */
async function buckets(host: Host): Promise<{ to: Shown | undefined; from: Shown | undefined }> {
  const tbf = (await qdiscs(host)).filter(({ kind }) => kind === 'tbf');
  const isIfb = ({ dev }: Shown): boolean => /^(nmb|bwp)/.test(dev);
  return { to: tbf.find((shown) => !isIfb(shown)), from: tbf.find(isIfb) };
}

function reference(bandwidth: Bandwidth): NetworkList {
  const ipam = { type: 'host-local', ranges: [[{ subnet: '10.77.0.0/24' }]] };
  return {
    cniVersion: '1.0.0',
    name: 'harbour',
    plugins: [
      { type: `${REFERENCE_PLUGINS}/bridge`, ipam },
      { type: `${REFERENCE_PLUGINS}/bandwidth`, ...bandwidth },
    ],
  };
}

async function ofReference(t: Reporter, bandwidth: Bandwidth): ReturnType<typeof buckets> {
  return withHost(t, async (host) => {
    const { netnsPath: netns } = await host.container('c1');
    await addChainMust(host, reference(bandwidth), {
      containerId: 'c1',
      ifname: 'eth0',
      netns,
      path: REFERENCE_PLUGINS,
    });
    return buckets(host);
  });
}

/** The host once forwarding was switched on, which stays so. */
async function used(host: Host, network: Network): Promise<Snapshot> {
  await network.container('first');
  await network.del('first');
  await host.removeContainer('first');
  return state(host);
}

async function state(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /netmoor/ }), 'processes');
}

t.test('the parameters are those of the reference plugin', { skip }, async (t) => {
  const cases: readonly Bandwidth[] = [
    LIMITED,
    { ingressRate: 123_456_784, ingressBurst: 987_654, egressRate: 1_000_000, egressBurst: 1_000_000 },
    { ingressRate: 40_000_000_000, ingressBurst: MAX_UINT32, egressRate: 1e9, egressBurst: MAX_UINT32 },
  ];
  for (const bandwidth of cases) {
    const wanted = await ofReference(t, bandwidth);
    await withHost(t, async (host) => {
      const network = new Network(host, DUAL_STACK);
      const { result } = await network.container('c1', { bandwidth });
      const ours = await buckets(host);
      for (const direction of ['to', 'from'] as const) {
        const [{ options, handle } = {}, theirs] = [ours[direction], wanted[direction]];
        t.equal(handle, theirs?.handle);
        t.equal(options?.rate, theirs?.options.rate, `rate ${direction} the container`);
        // The reference computes the time of a burst in whole microseconds.
        const slack = 2 + (theirs?.options.rate ?? 0) / 1e6;
        t.ok(Math.abs((options?.burst ?? 0) - (theirs?.options.burst ?? 0)) <= slack, 'burst');
        t.ok(Math.abs((options?.lat ?? 0) - (theirs?.options.lat ?? 0)) <= 2, 'latency in microseconds');
      }
      t.equal(await network.check('c1', result, { bandwidth }), undefined, 'CHECK agrees');
    });
  }
});

/** Sends so many bytes by TCP, and waits until they have arrived. */
async function transfer(from: Place, to: Place, address: string, bytes: number): Promise<number> {
  const receiver = to.start(['socat', '-d', '-d', '-u', 'TCP4-LISTEN:9000,reuseaddr', 'STDOUT']);
  await receiver.until(() => /listening on/.test(receiver.errors), 'receiver');
  await from.shell(`head -c ${bytes} /dev/zero | socat -u STDIN TCP4:${address}:9000`);
  await receiver.end();
  return receiver.output.length;
}

t.test('traffic is held back in both directions', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const bandwidth = { ...LIMITED, ingressBurst: 160_000, egressBurst: 160_000 };
    const network = new Network(host, DUAL_STACK);
    const { place, ip4 } = await network.container('c1', { bandwidth });
    const BYTES = 400_000;
    t.equal(await transfer(host, place, ip4, BYTES), BYTES);
    const first = await buckets(host);
    t.ok((first.to?.bytes ?? 0) >= BYTES, 'it came by the bucket');
    t.ok((first.to?.overlimits ?? 0) > 0, 'and waited there');
    t.ok((first.from?.bytes ?? 0) < BYTES, 'the other way went only what acknowledged it');
    t.equal(await transfer(place, host, '10.77.0.1', BYTES), BYTES);
    const { from } = await buckets(host);
    t.ok((from?.bytes ?? 0) >= BYTES, 'it went by the IFB');
    t.ok((from?.overlimits ?? 0) > 0, 'and waited there');
  });
});

t.test('the container cannot lift its limits, and has one direction limited alone', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...DUAL_STACK, egressRate: 8_000_000, egressBurst: 800_000 });
    const { place, result } = await network.container('c1', { bandwidth: LIMITED });
    const before = await buckets(host);
    t.equal(before.to, undefined, 'the config overrides the runtime');
    t.equal(before.from?.options.rate, 1_000_000);
    t.same(
      (await qdiscs(place)).map(({ kind }) => kind),
      ['noqueue', 'noqueue'],
      'inside there is nothing to remove',
    );
    await place.must(['tc', 'qdisc', 'replace', 'dev', 'eth0', 'root', 'pfifo']);
    await transfer(place, host, '10.77.0.1', 200_000);
    t.ok(((await buckets(host)).from?.bytes ?? 0) >= 200_000, 'it passes the IFB all the same');
    t.equal(await network.check('c1', result), undefined);
  });
});

t.test('bursts of any size and rates of any size', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const extremes = [
      [8, 1],
      [1000, MAX_UINT32],
      [1_000_001, MAX_UINT32 * 8 - 1],
      [123_456_789, 456],
      [1e11, MAX_UINT32],
      [1e14, 1_000_000],
    ] as const;
    for (const [index, [rate, burst]] of extremes.entries()) {
      const bandwidth = { ingressRate: rate, ingressBurst: burst, egressRate: rate, egressBurst: burst };
      const { result } = await network.container(`c${index}`, { bandwidth });
      t.equal(
        await network.check(`c${index}`, result, { bandwidth }),
        undefined,
        `${rate} bit/s, ${burst} bits`,
      );
      const tbf = (await qdiscs(host)).filter(({ kind }) => kind === 'tbf');
      t.same(
        tbf.map(({ options }) => options.rate),
        [Math.floor(rate / 8), Math.floor(rate / 8)],
      );
      await network.del(`c${index}`);
    }
  });
});

t.test('a burst that is smaller than a packet lets one packet pass', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const bandwidth = { ingressRate: 1e9, ingressBurst: 8, egressRate: 1e9, egressBurst: 8 };
    const { place, ip4 } = await new Network(host, DUAL_STACK).container('c1', { bandwidth });
    await host.must(['ping', '-c', '1', '-W', '5', '-s', '1472', '-M', 'do', ip4]);
    await place.must(['ping', '-c', '1', '-W', '5', '-s', '1472', '-M', 'do', '10.77.0.1']);
    t.equal(await transfer(place, host, '10.77.0.1', 100_000), 100_000, 'also when they come in bulk (GSO)');
  });
});

interface Damage {
  readonly what: string;
  readonly command: (veth: string, ifb: string) => readonly string[];
  readonly complaint: RegExp;
}

const TC = ['tc', 'qdisc'] as const;

function changeBucket(dev: string, rate: string, burst: string, limit: string): readonly string[] {
  return [...TC, 'change', 'dev', dev, 'root', 'tbf', 'rate', rate, 'burst', burst, 'limit', limit];
}

const DAMAGES: readonly Damage[] = [
  {
    what: 'no bucket',
    command: (veth) => [...TC, 'del', 'dev', veth, 'root'],
    complaint: /traffic to the container is not limited: nmv\w+ has no token bucket/,
  },
  {
    what: 'another rate',
    command: (veth) => changeBucket(veth, '9mbit', '100000', '125000'),
    complaint: /traffic to the container is limited to 9000000 bit\/s, not 8000000$/,
  },
  {
    what: 'another burst',
    command: (_, ifb) => changeBucket(ifb, '16mbit', '90000', '250000'),
    complaint: /the burst of traffic from the container is not 1600000 bits any more$/,
  },
  {
    what: 'another queue',
    command: (_, ifb) => changeBucket(ifb, '16mbit', '200000', '260000'),
    complaint: /260000 bytes of traffic from the container may wait, not 250000$/,
  },
  {
    what: 'no IFB',
    command: (_, ifb) => ['ip', 'link', 'delete', ifb],
    complaint: /traffic from the container is not limited: interface nmb\w+ is gone$/,
  },
  {
    what: 'IFB down',
    command: (_, ifb) => ['ip', 'link', 'set', ifb, 'down'],
    complaint: /interface nmb\w+ is down/,
  },
  {
    what: 'no redirection',
    command: (veth) => [...TC, 'del', 'dev', veth, 'ingress'],
    complaint: /traffic from the container is not limited: nmv\w+ does not redirect it to nmb\w+$/,
  },
];

t.test('CHECK names what differs, and DEL removes the rest', { skip, timeout: 120_000 }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const before = await used(host, network);
    for (const { what, command, complaint } of DAMAGES) {
      const { result } = await network.container('c1', { bandwidth: LIMITED });
      t.equal(await network.check('c1', result, { bandwidth: LIMITED }), undefined, `before ${what}`);
      const veth = result.interfaces?.[1]?.name ?? '';
      await host.must(command(veth, veth.replace('nmv', 'nmb')));
      t.match(await network.check('c1', result, { bandwidth: LIMITED }), complaint, what);
      await network.del('c1');
      await host.removeContainer('c1');
      t.same(await state(host), before, `after ${what}`);
    }
  });
});

t.test('an ADD that fails afterwards takes the limits back', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const routes = [{ dst: '198.51.100.0/24', gw: '203.0.113.1' }];
    const before = await used(host, new Network(host, DUAL_STACK));
    const network = new Network(host, { ipam: { ...DUAL_STACK.ipam, routes } });
    await host.container('c1');
    t.match(await network.run('ADD', 'c1', { bandwidth: LIMITED }), { code: 1, json: { code: 7 } });
    await host.removeContainer('c1');
    t.same(await state(host), before, 'nothing is left');
  });
});

t.test('limits of the dead, and of nobody, are collected', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const before = await used(host, network);
    const { result } = await network.container('c1', { bandwidth: LIMITED });
    const veth = result.interfaces?.[1]?.name ?? '';
    await host.removeContainer('c1');
    await until(async () => (await host.run(['ip', 'link', 'show', veth])).code !== 0, 'the veth is gone');
    t.equal((await buckets(host)).from?.dev, veth.replace('nmv', 'nmb'), 'the IFB outlives its veth');
    const others = ['nmb0123456789a', 'nmbofsomebody'];
    for (const name of others) await host.must(['ip', 'link', 'add', name, 'type', 'ifb']);
    const { yes, view } = await asked(host, 'gc');
    t.ok(yes);
    t.match(view, {
      garbage: [
        { kind: 'attachment', what: 'harbour/c1/eth0' },
        { kind: 'interface', what: `interface ${others[0]}` },
      ],
      failures: [],
    });
    await host.must(['ip', 'link', 'delete', others[1] ?? '']);
    t.same(await state(host), before, 'nothing is left');
  });
});
