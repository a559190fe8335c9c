/**
 * Containers whose root may change the network of their namespace (CAP_NET_ADMIN), and does: another MAC address, a
 * macvlan on the macvlan, the guard inside deleted. What the kernel's own stack
 * sends for them then.
 */
import t from 'tap';
import { droppedFrames } from '../../lib/nftables/guard/check.ts';
import { guardPort } from '../../lib/nftables/guard/guard.ts';
import { guardInside, insideTable } from '../../lib/nftables/guard/inside.ts';
import { LAN, identity, makeLan, moor, netfilterIn, port } from './guard-bed.ts';
import type { Bed } from './guard-bed.ts';
import { ipv4, udp } from './guard-frames.ts';
import { heardBy, marker, startListener, startSender } from './guard-wire.ts';
import { ADVERTISE } from './rogue-router.ts';
import { lacking, withHost } from './harness.ts';
import type { Place } from './harness.ts';
import type { Background } from './harness-process.ts';

const skip = lacking('perl', 'taskset', 'ping') ?? false;
const [one, victim] = [identity(11), identity(13)];
const OTHER_MAC = '02:00:5e:00:66:66';

/** What a container does to send as `ifname`. */
const TRICKS: Readonly<
  Record<string, { readonly script: string; readonly ifname: string; readonly mac: string }>
> = {
  'another MAC address': {
    script: `ip link set eth0 down; ip link set eth0 address ${OTHER_MAC} up`,
    ifname: 'eth0',
    mac: OTHER_MAC,
  },
  'a macvlan on its macvlan': {
    script: `ip link add link eth0 name sub0 address ${OTHER_MAC} type macvlan mode bridge`,
    ifname: 'sub0',
    mac: OTHER_MAC,
  },
  'a private macvlan on its macvlan': {
    script: `ip link add link eth0 name sub0 address ${OTHER_MAC} type macvlan mode private`,
    ifname: 'sub0',
    mac: OTHER_MAC,
  },
  'its own MAC address, the guard inside deleted': { script: 'true', ifname: 'eth0', mac: one.mac },
};

/** Milliseconds after which a frame is sent once more: on a busy machine one may be lost for no reason of ours. */
const AGAIN_MS = 250;

/** Resolves when what `place` sent before has arrived wherever it does. */
async function settled(place: Place, listener: Background): Promise<void> {
  const sender = await startSender(place);
  const { mark, line } = marker()(
    ipv4({ from: one.mac, to: LAN.mac }, { from: one.v4, to: LAN.v4 }, 17, udp(9, Date.now() & 0xffff)),
  );
  sender.write(line);
  const again = setInterval(() => sender.write(line), AGAIN_MS);
  try {
    await listener.until(() => listener.output.includes(mark), 'frame behind all others');
  } finally {
    clearInterval(again);
  }
  await sender.stop();
}

async function guarded(bed: Bed, rogue: Place): Promise<void> {
  await netfilterIn(bed.host, bed.host, (nf) => {
    for (const id of [11, 12, 13]) guardPort(nf, port(bed, id), () => []);
  });
  await netfilterIn(bed.host, rogue, (nf) => guardInside(nf, port(bed, 11)));
}

/** What is told from frames (hexadecimal) of one sender: addresses of 10.9.0.13 and fd00:9::13 in them. */
const SEEN = {
  'router advertisement': /^.{24}86dd.{80}86/,
  'ARP from the address of another': /^.{24}0806.{28}0a09000d/,
  'IPv4 from the address of another': /^.{24}0800.{24}0a09000d/,
  'IPv6 from the address of another': /^.{24}86dd.{16}fd000009.{20}0013/,
} as const;

async function tryAll(rogue: Place, { script, ifname }: (typeof TRICKS)[string]): Promise<void> {
  await rogue.shell(`
    ip address flush dev eth0
    ${script}
    echo 0 > /proc/sys/net/ipv6/conf/${ifname}/accept_dad
    ip link set ${ifname} up
    ip address add ${victim.v4}/24 dev ${ifname}
    ip address add ${victim.v6}/64 dev ${ifname} nodad`);
  const [link] = await rogue.ip('link', 'show', ifname);
  await rogue.run(['taskset', '-c', '0', 'perl', '-e', ADVERTISE, String(link?.['ifindex'])]);
  await rogue.run(['ping', '-c1', '-W1', '-I', victim.v4, LAN.v4]);
  await rogue.run(['ping', '-c1', '-W1', '-I', victim.v6, LAN.v6]);
}

for (const [what, trick] of Object.entries(TRICKS)) {
  for (const stands of [true, false]) {
    t.test(`${what}, ${stands ? 'guarded' : 'not guarded'}`, { skip }, async (t) => {
      await withHost(t, async (host) => {
        const bed = await makeLan(host);
        const [c11, c12] = [await moor(host, 11), await moor(host, 12)];
        if (stands) await guarded(bed, c11);
        if (stands) await c11.must(['nft', 'delete', 'table', 'netdev', insideTable('eth0')]);
        const heard = await startListener(bed.lan);
        await tryAll(c11, trick);
        await settled(c11, heard);
        const from = heard.output
          .split('\n')
          .filter((line) => line.slice(12, 24) === trick.mac.replaceAll(':', ''));
        for (const [frame, pattern] of Object.entries(SEEN))
          t.equal(
            from.some((line) => pattern.test(line)),
            !stands,
            frame,
          );
        if (!stands) return;
        const dropped = await netfilterIn(host, host, (nf) => droppedFrames(nf));
        t.ok(
          dropped.some((each) => each.what === 'router advertisements'),
          'it is counted',
        );
        for (const to of [LAN.v4, LAN.v6]) await c12.must(['ping', '-c1', '-W2', to]);
      });
    });
  }
}

t.test('a master that has been given another name is guarded again', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const bed = await makeLan(host);
    const c11 = await moor(host, 11);
    await guarded(bed, c11);
    await c11.must(['nft', 'delete', 'table', 'netdev', insideTable('eth0')]);
    await host.shell('ip link set lan0 name lan9');
    const renamed = { ...bed, master: { ...bed.master, name: 'lan9' } };
    await netfilterIn(host, host, (nf) => guardPort(nf, port(renamed, 11), () => []));
    const heard = await startListener(bed.lan);
    const sender = await startSender(c11);
    const mark = marker();
    const packet = (from: string) =>
      mark(ipv4({ from: one.mac, to: LAN.mac }, { from, to: LAN.v4 }, 17, udp(9, 9)));
    t.strictSame(await heardBy(sender, packet(victim.v4), packet(one.v4), { heard }), []);
    t.strictSame(await heardBy(sender, packet(one.v4), packet(one.v4), { heard }), ['heard']);
  });
});
