/** What netmoor's ruleset does to real packets: masquerading, published ports, ingress policies, guards. */
import { test } from 'tap';
import { addAttachment, removeAttachment } from '../../lib/nftables/table.ts';
import { attachment, makeBridge, moor, network, none, withNetfilter } from './nftables-bed.ts';
import type { Wanted } from './nftables-bed.ts';
import { SctpEar, sendInit } from './harness-sctp.ts';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import type { Background } from './harness-process.ts';
import type { Host, Place } from './harness.ts';

const skip = lacking() ?? false;
/** How long silence has to last to count. */
const silence = { deadlineMs: 400 };
const notLast = { ofNetwork: false, onBridge: false, ofAll: false };

/** Listens for datagrams at a socat address; `heard` are their senders, as socat writes them. */
class Ear {
  readonly #socat: Background;

  private constructor(socat: Background) {
    this.#socat = socat;
  }

  /**
   * The command reads its datagram before it says anything. Were it gone when socat hands the datagram on, that child
   * of socat would fail, and to socat 1.7 a failed child is one that left its datagram unread: it throws the next one
   * away.
   */
  static async open(place: Place, address: string): Promise<Ear> {
    const socat = place.start([
      'socat',
      '-d',
      '-d',
      '-u',
      `${address},fork`,
      'SYSTEM:cat >/dev/null; echo $SOCAT_PEERADDR >&2',
    ]);
    await socat.until(() => socat.errors.includes('receiving '), `socket ${address}`);
    return new Ear(socat);
  }

  async hears(count: number): Promise<void> {
    await this.#socat.until(() => this.heard().length >= count, `datagram ${count}`);
  }

  heard(): string[] {
    return this.#socat.errors.split('\n').filter((line) => /^[[\]0-9a-f.:]+$/.test(line));
  }
}

/**
 * Frames that stay on a bridge go past the ruleset too where br_netfilter says so; everything has to hold either way.
 */
async function seeBridged(host: Host, seen: boolean): Promise<void> {
  const value = seen ? 1 : 0;
  await host.shell(
    `for family in ip ip6; do echo ${value} > /proc/sys/net/bridge/bridge-nf-call-\${family}tables; done`,
  );
}

for (const bridged of [false, true]) {
  const when = bridged ? ' (bridged frames seen)' : '';

  test(`masquerading${when}`, { skip }, async (t) => {
    await withHost(t, (host) =>
      withNetfilter(host, async (nf) => {
        await makeBridge(host);
        await seeBridged(host, bridged);
        const c2 = await moor(host, 2);
        const c3 = await moor(host, 3);
        await serve(host.outside, 'tcp', 80);
        await serve(host.outside, 'tcp', 80, { address: '::' });
        await serve(c3, 'tcp', 80);
        await serve(c3, 'tcp', 80, { address: '::' });
        await serve(c3, 'udp', 5353, { address: '0.0.0.0' });

        t.equal(
          await ask(c2, 'tcp', world.internet4, 80, silence),
          undefined,
          'without it no answer finds the way back',
        );
        addAttachment(nf, attachment('c2', { addresses: ['10.89.0.2', 'fd00:89::2'] }), none);
        t.match(await ask(c2, 'tcp', world.internet4, 80), { peer: world.host4 });
        t.match(await ask(c2, 'tcp', world.internet6, 80), { peer: world.host6 });
        t.match(await ask(c2, 'tcp', '10.89.0.3', 80), { peer: '10.89.0.2' }, 'not within the network');
        t.match(await ask(c2, 'tcp', 'fd00:89::3', 80), { peer: 'fd00:89::2' });
        t.equal(
          await ask(c3, 'tcp', world.internet4, 80, silence),
          undefined,
          'and only whom it was asked for',
        );
      }),
    );
  });

  test(`published ports${when}`, { skip }, async (t) => {
    await withHost(t, (host) =>
      withNetfilter(host, async (nf) => {
        await makeBridge(host);
        await seeBridged(host, bridged);
        const c2 = await moor(host, 2);
        const c3 = await moor(host, 3);
        await host.shell('ip link set nmc02 type bridge_slave hairpin on');
        await serve(c2, 'tcp', 80);
        await serve(c2, 'udp', 53);
        await serve(c2, 'tcp', 80, { address: '::', name: 'six' });
        await serve(c2, 'udp', 53, { address: '::', name: 'six' });
        const forwards = ['tcp 8080', 'udp 5300'].flatMap((from) => {
          const port = from.startsWith('tcp') ? 80 : 53;
          return [`${from} -> 10.89.0.2 ${port}`, `${from} -> fd00:89::2 ${port}`];
        });
        const rules = attachment('c2', { addresses: ['10.89.0.2', 'fd00:89::2'], forwards });
        addAttachment(nf, rules, none);
        addAttachment(nf, attachment('c3', { addresses: ['10.89.0.3', 'fd00:89::3'] }), none);

        for (const [transport, port] of [
          ['tcp', 8080],
          ['udp', 5300],
        ] as const) {
          const at = (place: Parameters<typeof ask>[0], address: string) =>
            ask(place, transport, address, port);
          t.match(
            await at(host.outside, world.host4),
            { from: 'c02', peer: world.router4 },
            `${transport} from outside`,
          );
          t.match(await at(host.outside, world.host6), { from: 'six', peer: world.router6 });
          t.match(
            await at(host, world.host4),
            { from: 'c02', peer: world.host4 },
            `${transport} from the host by its address`,
          );
          t.match(await at(host, world.host6), { from: 'six', peer: world.host6 });
          t.match(
            await at(host, '127.0.0.1'),
            { from: 'c02', peer: '10.89.0.1' },
            `${transport} from the host by its loopback address`,
          );
          t.match(await at(host, '10.89.0.1'), { from: 'c02' }, `${transport} by the gateway's address`);
          t.match(
            await at(c3, world.host4),
            { from: 'c02', peer: '10.89.0.1' },
            `${transport} from a neighbour`,
          );
          t.match(await at(c3, world.host6), { from: 'six', peer: 'fd00:89::1' });
          t.match(
            await at(c2, world.host4),
            { from: 'c02', peer: '10.89.0.1' },
            `${transport} from the container itself`,
          );
          t.match(await at(c2, world.host6), { from: 'six', peer: 'fd00:89::1' });
        }

        await serve(host, 'tcp', 8080, { address: '::1' });
        t.match(await ask(host, 'tcp', '::1', 8080), { from: 'host' }, 'but ::1 is left alone');

        removeAttachment(nf, rules, notLast);
        t.equal(
          await ask(host.outside, 'tcp', world.host4, 8080, silence),
          undefined,
          'no longer after removal',
        );
      }),
    );
  });

  test(`what is not for this host is not redirected${when}`, { skip }, async (t) => {
    await withHost(t, (host) =>
      withNetfilter(host, async (nf) => {
        await makeBridge(host);
        await seeBridged(host, bridged);
        const c2 = await moor(host, 2);
        const c3 = await moor(host, 3);
        await serve(c2, 'tcp', 80);
        await serve(host.outside, 'tcp', 8080);
        await serve(c3, 'tcp', 8080);
        addAttachment(
          nf,
          attachment('c2', { addresses: ['10.89.0.2'], forwards: ['tcp 8080 -> 10.89.0.2 80'] }),
          none,
        );
        addAttachment(nf, attachment('c3', { addresses: ['10.89.0.3'] }), none);
        t.match(
          await ask(c3, 'tcp', world.internet4, 8080),
          { from: 'outside' },
          'a container reaches that port elsewhere',
        );
        t.match(await ask(c2, 'tcp', world.internet4, 8080), { from: 'outside' });
        t.match(await ask(host, 'tcp', world.internet4, 8080), { from: 'outside' }, 'and so does the host');
        t.match(
          await ask(c2, 'tcp', '10.89.0.3', 8080),
          { from: 'c03' },
          'and a neighbour’s port of that number',
        );
      }),
    );
  });
}

test('published on one address of the host', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await makeBridge(host);
      await host.shell(
        `ip address add 203.0.113.3/24 dev uplink; ip address add 2001:db8::3/64 dev uplink nodad`,
      );
      const c2 = await moor(host, 2);
      const c3 = await moor(host, 3);
      for (const place of [c2, c3]) {
        await serve(place, 'tcp', 80);
        await serve(place, 'tcp', 80, { address: '::' });
      }
      addAttachment(
        nf,
        attachment('c2', {
          forwards: [
            'tcp 203.0.113.3 8080 -> 10.89.0.2 80',
            'tcp 2001:db8::3 8080 -> fd00:89::2 80',
            'tcp 127.0.0.1 9090 -> 10.89.0.2 80',
          ],
        }),
        none,
      );
      t.match(await ask(host.outside, 'tcp', '203.0.113.3', 8080), { from: 'c02' });
      t.match(await ask(host.outside, 'tcp', '2001:db8::3', 8080), { from: 'c02' });
      t.equal(await ask(host.outside, 'tcp', world.host4, 8080, silence), undefined, 'not on the others');
      t.equal(await ask(host.outside, 'tcp', world.host6, 8080, silence), undefined);
      t.match(await ask(host, 'tcp', '127.0.0.1', 9090), { from: 'c02' }, 'for the host alone');
      t.equal(await ask(host.outside, 'tcp', world.host4, 9090, silence), undefined);

      addAttachment(
        nf,
        attachment('c3', { forwards: ['tcp 8080 -> 10.89.0.3 80', 'tcp 8080 -> fd00:89::3 80'] }),
        none,
      );
      t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c03' }, 'every address');
      t.match(
        await ask(host.outside, 'tcp', '203.0.113.3', 8080),
        { from: 'c02' },
        'the one address goes first',
      );
    }),
  );
});

test('SCTP, and a range of ports', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await makeBridge(host);
      const c2 = await moor(host, 2);
      const ear = await SctpEar.open(c2);
      await serve(c2, 'udp', 6001);
      await serve(c2, 'udp', 6002, { name: 'last' });
      addAttachment(
        nf,
        attachment('c2', { forwards: ['sctp 3868 -> 10.89.0.2 3869', 'udp 5000+3 -> 10.89.0.2 6000'] }),
        none,
      );
      await sendInit(host.outside, world.host4, 4000, 3868);
      await ear.hears(3869);
      await ear.close();
      t.match(await ask(host.outside, 'udp', world.host4, 5001), { from: 'c02' });
      t.match(await ask(host.outside, 'udp', world.host4, 5002), { from: 'last' });
      t.equal(await ask(host.outside, 'udp', world.host4, 5003, silence), undefined);
    }),
  );
});

test('ingress policies', { skip }, async (t) => {
  const expected = {
    open: { outside: true, otherBridge: true },
    'same-bridge': { outside: false, otherBridge: false },
    isolated: { outside: false, otherBridge: false },
  } as const;
  for (const [policy, reached] of Object.entries(expected) as [
    keyof typeof expected,
    (typeof expected)['open'],
  ][]) {
    await t.test(policy, async (t) => {
      await withHost(t, (host) =>
        withNetfilter(host, async (nf) => {
          await makeBridge(host, 0);
          await makeBridge(host, 1);
          const c2 = await moor(host, 2);
          const c3 = await moor(host, 3);
          const far = await moor(host, 4, 1);
          await host.outside.shell(
            `ip route add 10.89.0.0/24 via ${world.host4}; ip -6 route add fd00:89::/64 via ${world.host6}`,
          );
          await serve(c2, 'tcp', 80);
          await serve(c2, 'tcp', 80, { address: '::' });
          await serve(host.outside, 'tcp', 80);
          const rules = network(0, policy);
          const forwards = ['tcp 8080 -> 10.89.0.2 80', 'tcp 8080 -> fd00:89::2 80'];
          addAttachment(
            nf,
            attachment('c2', { rules, addresses: ['10.89.0.2', 'fd00:89::2'], forwards }),
            none,
          );
          addAttachment(nf, attachment('c3', { rules, addresses: ['10.89.0.3', 'fd00:89::3'] }), none);
          addAttachment(
            nf,
            attachment('far', { rules: network(1), addresses: ['10.89.1.4', 'fd00:89:0:1::4'] }),
            none,
          );

          const directly = async (place: Parameters<typeof ask>[0]) => [
            (await ask(place, 'tcp', '10.89.0.2', 80, silence)) !== undefined,
            (await ask(place, 'tcp', 'fd00:89::2', 80, silence)) !== undefined,
          ];
          t.strictSame(
            await directly(host.outside),
            [reached.outside, reached.outside],
            'directly from outside',
          );
          t.strictSame(
            await directly(far),
            [reached.otherBridge, reached.otherBridge],
            'directly from another bridge',
          );
          t.strictSame(await directly(host), [true, true], 'the host itself');
          t.match(
            await ask(c2, 'tcp', world.internet4, 80),
            { from: 'outside' },
            'its own connections, and their answers',
          );
          for (const [who, place] of [
            ['outside', host.outside],
            ['another bridge', far],
            ['a neighbour', c3],
            ['the host', host],
          ] as const) {
            t.match(
              await ask(place, 'tcp', world.host4, 8080),
              { from: 'c02' },
              `the published port from ${who}`,
            );
            t.match(await ask(place, 'tcp', world.host6, 8080), { from: 'c02' });
          }
        }),
      );
    });
  }
});

test('the host’s loopback services stay its own (CVE-2020-8558)', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await makeBridge(host);
      const c2 = await moor(host, 2);
      await c2.shell(`
        ip route delete table local local 127.0.0.0/8 dev lo
        ip route delete table local local 127.0.0.1 dev lo
        ip route add 127.0.0.1 via 10.89.0.1 src 10.89.0.2`);
      const secret = await Ear.open(host, 'UDP4-RECVFROM:9000,bind=127.0.0.1');
      const open = await Ear.open(host, 'UDP4-RECVFROM:9001,bind=10.89.0.1');
      const say = (to: string) => c2.must(['socat', '-u', 'STDIN', `UDP4-SENDTO:${to}`], { input: 'x' });
      await say('127.0.0.1:9000');
      await secret.hears(1);
      addAttachment(nf, attachment('c2', { addresses: ['10.89.0.2'] }), none);
      await say('127.0.0.1:9000');
      await say('10.89.0.1:9001');
      await open.hears(1);
      t.strictSame(secret.heard(), ['10.89.0.2'], 'what worked on a bare host no longer does');
      await host.must(['socat', '-u', 'STDIN', 'UDP4-SENDTO:127.0.0.1:9000'], { input: 'x' });
      await secret.hears(2);
      t.strictSame(secret.heard(), ['10.89.0.2', '127.0.0.1'], 'the host itself is not kept away');
    }),
  );
});

test('nobody on a bridge passes for the host', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await makeBridge(host);
      const c2 = await moor(host, 2);
      // Both sides as careless as their sysctls let them be.
      await host.shell('echo 1 > /proc/sys/net/ipv4/conf/nm0/accept_local');
      await c2.shell(`
        echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet
        echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind`);
      const ear = await Ear.open(host, 'UDP4-RECVFROM:9001,bind=10.89.0.1');
      const say = (from: string) =>
        c2.must(['socat', '-u', 'STDIN', `UDP4-SENDTO:10.89.0.1:9001,bind=${from}`], { input: 'x' });
      await say('127.0.0.1');
      await ear.hears(1);
      addAttachment(nf, attachment('c2'), none);
      await say('127.0.0.1');
      await say('10.89.0.2');
      await ear.hears(2);
      t.strictSame(ear.heard(), ['127.0.0.1', '10.89.0.2']);
    }),
  );
});

test('another MAC address than its own', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await makeBridge(host);
      const c2 = await moor(host, 2);
      const c3 = await moor(host, 3);
      await serve(host, 'tcp', 80);
      const macOf = async (place: typeof c2) => (await place.ip('link', 'show', 'eth0'))[0]?.address ?? '';
      const wanted: Wanted = { macSpoofCheck: { hostIfname: 'nmc02', mac: await macOf(c2) } };
      addAttachment(nf, attachment('c2', wanted), none);
      t.match(await ask(c2, 'tcp', '10.89.0.1', 80), { from: 'host' });
      await c2.shell('ip link set eth0 address 02:00:5e:00:66:66');
      await c3.shell('ip link set eth0 address 02:00:5e:00:66:67');
      t.equal(await ask(c2, 'tcp', '10.89.0.1', 80, silence), undefined);
      t.match(await ask(c3, 'tcp', '10.89.0.1', 80), { from: 'host' }, 'who is not checked may');
    }),
  );
});

test('multicast, broadcast and link-local traffic keeps its source address', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await makeBridge(host);
      await seeBridged(host, true);
      const c2 = await moor(host, 2);
      const c3 = await moor(host, 3);
      // Addresses that are masqueraded but in no subnet of the network: only the rules in question stand before the
      // translation.
      const rules = { ...network(), subnets: [] };
      addAttachment(nf, attachment('c2', { rules, addresses: ['10.89.0.2', 'fd00:89::2'] }), none);
      const addresses = (await c3.ip('-6', 'address', 'show', 'dev', 'eth0')).flatMap(
        (link) => link.addr_info ?? [],
      );
      const linkLocal = addresses.find(({ scope }) => scope === 'link')?.local;
      await c2.shell(
        'ip route add 239.0.0.0/8 dev eth0; ip -6 route add ff05::/16 dev eth0 table local metric 1',
      );
      const six = 'fd00:0089:0000:0000:0000:0000:0000:0002';
      for (const [what, listen, send, source] of [
        [
          'multicast',
          'UDP4-RECVFROM:7000,ip-add-membership=239.1.2.3:10.89.0.3',
          'UDP4-SENDTO:239.1.2.3:7000',
          '10.89.0.2',
        ],
        [
          'multicast',
          'UDP6-RECVFROM:7001,ipv6-join-group=[ff05::123]:eth0',
          'UDP6-SENDTO:[ff05::123]:7001',
          `[${six}]`,
        ],
        [
          'broadcast',
          'UDP4-RECVFROM:7002',
          'UDP4-SENDTO:255.255.255.255:7002,broadcast,so-bindtodevice=eth0',
          '10.89.0.2',
        ],
        [
          'link-local',
          'UDP6-RECVFROM:7003',
          `UDP6-SENDTO:[${linkLocal}%eth0]:7003,bind=[fd00:89::2]`,
          `[${six}]`,
        ],
      ] as const) {
        const ear = await Ear.open(c3, listen);
        await c2.must(['socat', '-u', 'STDIN', send], { input: 'x' });
        await ear.hears(1);
        t.strictSame(ear.heard(), [source], what);
      }
    }),
  );
});
