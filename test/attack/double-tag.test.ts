/**
 * Two VLAN tags, both of VLAN 0: a bridge sees what is neither IP nor ARP, and whoever receives the frame takes both
 * off (IEEE 802.1Q 6.9: priority tags; __netif_receive_skb_core() of Linux).
 */
import t from 'tap';
import { ipv4, tagged, udp } from '../kernel/guard-frames.ts';
import { sendFrame } from '../kernel/guard-wire.ts';
import { lacking, withHost } from '../kernel/harness.ts';
import { DUAL_STACK, Network } from '../kernel/moorings.ts';

const skip = lacking('perl', 'taskset', 'socat') ?? false;
const [MAC, OTHER_MAC] = ['02:00:5e:00:53:11', '02:00:5e:00:53:12'];

t.test('an isolated container is not reached by tags within tags', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...DUAL_STACK, ingressPolicy: 'isolated' });
    const rogue = await network.container('c1', { mac: MAC });
    const { place, ip4 } = await network.container('c2', { mac: OTHER_MAC });
    const heard = place.start(['socat', '-u', '-d', '-d', 'UDP-RECV:7000', 'STDOUT']);
    await heard.until(() => /starting data transfer/.test(heard.errors), 'listener');
    const send = async (word: string, wrap: (frame: Buffer) => Buffer): Promise<void> => {
      const ends = { from: MAC, to: OTHER_MAC };
      const frame = ipv4(ends, { from: rogue.ip4, to: ip4 }, 17, udp(1000, 7000, Buffer.from(`${word}\n`)));
      await sendFrame(rogue.place, wrap(frame));
    };
    await send('plain', (frame) => frame);
    await send('tagged', (frame) => tagged(frame, 0));
    await send('twice', (frame) => tagged(tagged(frame, 0), 0));
    await host.shell(`echo host | socat -u - UDP4-SENDTO:${ip4}:7000`);
    await heard.until(() => heard.output.includes('host'), 'word of the host');
    t.equal(heard.output, 'host\n');
  });
});
