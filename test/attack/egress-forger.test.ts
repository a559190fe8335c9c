/**
 * A container of a network that leaves by one way alone, which lies about who it is: what the host itself answers goes
 * to whom the container names, by the host's own uplink.
 */
import t from 'tap';
import { Meter, vpnNetwork } from '../kernel/egress-bed.ts';
import { arp, icmp6, ipv4, ipv6, udp } from '../kernel/guard-frames.ts';
import { sendFrame } from '../kernel/guard-wire.ts';
import { lacking, withHost, world } from '../kernel/harness.ts';

const skip = lacking('perl', 'taskset') ?? false;
const MAC = '02:00:5e:00:53:11';
const GATEWAY4 = '10.77.0.1';
const GATEWAY6 = 'fd00:77::1';

/** Without reverse path filtering, which IPv6 has none of. */
const prepare = 'for each in all default; do echo 0 > /proc/sys/net/ipv4/conf/$each/rp_filter; done';

t.test("the host's answers to forged sources", { skip }, async (t) => {
  await withHost(
    t,
    async (host) => {
      const meter = await Meter.install(host);
      const network = vpnNetwork(host);
      const { place, ip4 } = await network.container('c1', { mac: MAC });
      const [bridge] = await host.ip('link', 'show', 'dev', 'nm-vpn');
      const ends = { from: MAC, to: String(bridge?.['address']) };
      const ask6 = { from: world.internet6, to: GATEWAY6 };
      const echo4 = Buffer.from('0800f7fd00010001', 'hex');
      const frames = {
        'ping of the gateway, IPv4': ipv4(ends, { from: world.internet4, to: GATEWAY4 }, 1, echo4),
        'ping of the gateway, IPv6': ipv6(ends, ask6, 58, icmp6(ask6, 128, Buffer.from('00010001', 'hex'))),
        'no way there, IPv4': ipv4(ends, { from: world.internet4, to: '192.0.2.9' }, 17, udp(1, 2)),
        'no way there, IPv6': ipv6(ends, { from: world.internet6, to: '2001:db8:9::9' }, 17, udp(1, 2)),
      };
      for (const [name, frame] of Object.entries(frames)) {
        await sendFrame(place, frame);
        // Who is answered behind it: what it caused has happened by then.
        await sendFrame(place, arp({ from: MAC, to: 'ff:ff:ff:ff:ff:ff' }, 'request', ip4, GATEWAY4));
        t.equal((await place.run(['ping', '-c1', '-W2', GATEWAY4])).code, 0, 'the gateway is there');
        t.equal((await place.run(['ping', '-c1', '-W2', GATEWAY6])).code, 0, 'in both families');
        t.equal(await meter.read(), 'nothing', name);
        await meter.reset();
      }
    },
    { prepare },
  );
});
