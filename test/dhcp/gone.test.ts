/** Containers that end without DEL: their leases are given back from the host's side, and nothing keeps them alive. */
import t from 'tap';
import { until } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { SERVING4, skip } from './dhcp-lan.ts';
import { dhcpd4 } from './dhcpd.ts';
import { dnsmasq } from './dnsmasq.ts';
import { kea4 } from './kea.ts';
import { givenBack, withEngine } from './lease-bed.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(240_000);
t.jobs = 4;

const SERVERS = { 'bridge-nat': kea4, bridge: dhcpd4, macvlan: dnsmasq };

/** The containers' interfaces as the host has them. */
async function ports(host: Host): Promise<number> {
  const links = await host.ip('link', 'show', 'master', 'br-lan');
  return links.filter(({ ifname }) => ifname !== 'lan0').length;
}

for (const [main, kind] of Object.entries(SERVERS)) {
  t.test(`${main}: a namespace that is deleted`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind(SERVING4));
      const network = await bed.network(main as keyof typeof SERVERS);
      const boat = await network.moor('boat');
      await bed.host.removeContainer('boat');
      if (main !== 'macvlan') await until(async () => (await ports(bed.host)) === 0, 'its port is gone');
      await server.says('RELEASE', { deadlineMs: 10_000 });
      await givenBack(server, boat.ip4);
      await network.del('boat');
      t.equal(server.messages().filter((message) => message === 'RELEASE').length, 1);
    });
  });

  t.test(`${main}: a process that is killed`, { skip }, async (t) => {
    await withEngine(t, async (bed) => {
      const server = await DhcpServer.start(bed.host, bed.lan.router, kind(SERVING4));
      const network = await bed.network(main as keyof typeof SERVERS);
      const { place, stop } = await bed.host.processContainer('boat');
      const boat = await network.add(place);
      await stop();
      if (main !== 'macvlan') await until(async () => (await ports(bed.host)) === 0, 'its port is gone');
      await server.says('RELEASE', { deadlineMs: 45_000 });
      await t.resolves(givenBack(server, boat.ip4));
    });
  });
}

t.test('deleted while it asks', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4({ ...SERVING4, seconds: 10 }));
    const network = await bed.network('bridge');
    const { ip4 } = await network.moor('boat');
    await server.crash();
    const ear = await bed.lan.lan.listen({ filter: `src host ${ip4} and udp dst port 67` });
    await ear.hears(/192\.0\.2\.1\.67/, 'a renewal', { deadlineMs: 15_000 });
    await bed.host.removeContainer('boat');
    await until(async () => (await ports(bed.host)) === 0, 'nothing holds it');
    await t.resolves(bed.engine.says(/boat.*is gone/));
  });
});

t.test('nothing leads to the LAN any more', { skip }, async (t) => {
  await withEngine(t, async (bed) => {
    const server = await DhcpServer.start(bed.host, bed.lan.router, kea4(SERVING4));
    const network = await bed.network('bridge-nat');
    await network.moor('boat');
    await bed.host.shell('ip link delete br-lan; ip netns delete boat');
    await bed.engine.says(/boat.*cannot be given back, and lapses/);
    t.same(server.messages(), ['DISCOVER', 'OFFER', 'REQUEST', 'ACK']);
    await network.del('boat');
  });
});
