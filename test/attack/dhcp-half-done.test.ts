/** An ADD that was killed when it had guarded what a DHCP server leased, and had not put that on record yet. */
import t from 'tap';
import { NODE } from '../../cli/build/paths.ts';
import { MANAGED, SERVING6, skip, withDhcpLan } from '../dhcp/dhcp-lan.ts';
import { kea6 } from '../dhcp/kea.ts';
import { DhcpServer } from '../dhcp/server.ts';
import { startEngine } from '../kernel/engine-bed.ts';
import { network as macvlan, onRecord } from '../kernel/macvlan-bed.ts';

t.setTimeout(120_000);

const HALF_DONE = `const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync('/var/lib/cni/netmoor/leases.db');
  database.exec(\`UPDATE attachment SET record = json_set(record, '$.state', 'attaching', '$.addresses', json('[]'))
    WHERE json_extract(record, '$.containerId') = 'c1'\`);`;

t.test('nothing of it stays in the guard, nor at the server', { skip }, async (t) => {
  await withDhcpLan(t, async (lan) => {
    const { host } = lan;
    const station = await lan.station('server6', ['2001:db8:50::2/64']);
    const server = await DhcpServer.start(host, station, kea6(SERVING6));
    await lan.advertise(MANAGED);
    await startEngine(host);
    const network = macvlan(host, { addressing: 'dhcp6' });
    await network.container('c0');
    const { ip6 } = await network.container('c1');
    const guarded = async (): Promise<boolean> =>
      (await host.must(['nft', 'list', 'ruleset'])).includes('lan/c1/eth0');
    t.equal(await guarded(), true);
    await host.must([NODE, '-e', HALF_DONE]);
    const valid = [{ containerID: 'c0', ifname: 'eth0' }];
    t.equal((await network.whole('GC', { 'cni.dev/valid-attachments': valid })).code, 0);
    t.equal(await guarded(), false);
    await server.ended(ip6);
    t.equal(await onRecord(host), 2, 'the neighbour and its lease');
  });
});
