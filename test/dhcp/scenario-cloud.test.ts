/**
 * Scenario E, a personal container cloud: macvlans on the LAN whose IPv6 addresses the LAN's own server gives, each
 * container one of its own; nobody starts a daemon, leases outlive it, and go back when containers are collected.
 */
import t from 'tap';
import { noEngine, signalEngine } from '../kernel/engine-bed.ts';
import { until } from '../kernel/harness.ts';
import { addresses, network, onRecord } from '../kernel/macvlan-bed.ts';
import { netmoor } from '../kernel/netmoor-command.ts';
import { MANAGED, SERVING6, skip, withDhcpLan } from './dhcp-lan.ts';
import { kea6 } from './kea.ts';
import { DhcpServer } from './server.ts';

t.setTimeout(180_000);

const CONTAINERS = ['blog', 'mail', 'wiki'];

t.test('a personal container cloud', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const server = await DhcpServer.start(lan.host, lan.router, kea6(SERVING6));
    await lan.advertise(MANAGED);
    const cloud = network(lan.host, { addressing: 'auto' });
    const held = new Map<string, string>();
    for (const name of CONTAINERS) {
      const { result } = await cloud.container(name);
      const [address = ''] = addresses(result);
      held.set(name, address.replace('/128', ''));
    }
    t.equal(new Set(held.values()).size, CONTAINERS.length, 'each has an address of its own');
    const active = (): string[] =>
      server
        .leases()
        .filter(({ state }) => state === 'active')
        .map(({ address }) => address);
    t.same(active().toSorted(), [...held.values()].toSorted());
    const peer = await lan.station('peer', ['2001:db8:50::9/64']);
    for (const address of held.values())
      t.equal((await peer.run(['ping', '-c1', '-W2', address])).code, 0, `${address} is reached`);

    await signalEngine(lan.host, 'KILL');
    await noEngine(lan.host);
    await lan.host.removeContainer('wiki');
    const kept = [{ containerID: 'blog', ifname: 'eth0' }];
    t.equal((await cloud.whole('GC', { 'cni.dev/valid-attachments': kept })).code, 0);
    const gone = (name: string): boolean => !active().includes(held.get(name) ?? '');
    await until(() => (gone('mail') && gone('wiki')) || undefined, 'what was collected is given back');
    t.notOk(gone('blog'));
    t.equal(server.messages().filter((each) => each === 'SOLICIT').length, CONTAINERS.length);
    t.match((await netmoor(lan.host, 'leases')).out, new RegExp(held.get('blog') ?? 'none'));
    await cloud.del('blog');
    await until(() => gone('blog') || undefined, 'the last as well');
    t.equal(await onRecord(lan.host), 0);
  });
});
