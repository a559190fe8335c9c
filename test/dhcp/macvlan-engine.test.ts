/** macvlan-v6 and the engine that holds its leases: it dies, it serves the ADD itself, it cannot be had. */
import t from 'tap';
import {
  callOf,
  drive,
  failures,
  hostPid,
  noEngine,
  signalEngine,
  startEngine,
} from '../kernel/engine-bed.ts';
import { until } from '../kernel/harness.ts';
import { SLAAC, addresses, network, onRecord, refused } from '../kernel/macvlan-bed.ts';
import { MANAGED, SERVING6, skip, withDhcpLan } from './dhcp-lan.ts';
import type { DhcpLan } from './dhcp-lan.ts';
import { kea6 } from './kea.ts';
import { DhcpServer } from './server.ts';
import type { Reporter } from '../kernel/harness.ts';

t.setTimeout(180_000);

const LEASED = /^2001:db8:50::1[0-9a-f]{2}\/128$/;

async function withServer(
  t: Reporter,
  body: (lan: DhcpLan, server: DhcpServer) => Promise<void>,
): Promise<void> {
  await withDhcpLan(t, async (lan) => {
    const server = await DhcpServer.start(lan.host, lan.router, kea6(SERVING6));
    await lan.advertise(MANAGED);
    await body(lan, server);
  });
}

async function nothingLeased(server: DhcpServer): Promise<void> {
  await until(() => !server.leases().some(({ state }) => state === 'active'), 'all is given back');
}

t.test('nobody has started it, and it is killed', { skip }, async (t) => {
  await withServer(t, async (lan, server) => {
    const wanted = network(lan.host, { addressing: 'dhcp6' });
    const { result } = await wanted.container('c1');
    t.match(addresses(result), [LEASED], 'ADD has started it');
    await signalEngine(lan.host, 'KILL');
    await noEngine(lan.host);
    t.equal(await wanted.check('c1', result), undefined, 'the next one knows the lease');
    t.same(server.messages().filter((each) => each === 'SOLICIT').length, 1);
    await signalEngine(lan.host, 'KILL');
    await noEngine(lan.host);
    await wanted.del('c1');
    await nothingLeased(server);
    t.equal(await onRecord(lan.host), 0);
  });
});

t.test('the config is gone: DEL goes by the record', { skip }, async (t) => {
  await withServer(t, async (lan, server) => {
    await startEngine(lan.host);
    await network(lan.host, { addressing: 'auto' }).container('c1');
    await lan.host.removeContainer('c1');
    await network(lan.host, {}).run('DEL', 'c1', {}, {}, '');
    await nothingLeased(server);
    t.equal(await onRecord(lan.host), 0);
  });
});

t.test('it cannot be had: nothing is made, and DEL succeeds', { skip }, async (t) => {
  await withServer(t, async (lan, server) => {
    const wanted = network(lan.host, { addressing: 'dhcp6' });
    await wanted.container('c1');
    await signalEngine(lan.host, 'TERM');
    await noEngine(lan.host);
    await lan.host.shell('rm -rf /run/netmoor; echo > /run/netmoor');
    const place = await lan.host.container('c2');
    t.ok((await refused(wanted, 'c2')).code);
    t.same(
      (await place.ip('link')).map(({ ifname }) => ifname),
      ['lo'],
    );
    t.not((await wanted.whole('STATUS')).code, 0);
    await wanted.del('c1');
    t.equal(await onRecord(lan.host), 0);
    t.equal(server.leases().filter(({ state }) => state === 'active').length, 1, 'the server knows nothing');
    await lan.host.shell('rm /run/netmoor');
    await startEngine(lan.host);
    await nothingLeased(server);
  });
});

t.test('it serves ADD and DEL itself, many at once', { skip }, async (t) => {
  await withServer(t, async (lan, server) => {
    await startEngine(lan.host);
    const names = Array.from({ length: 12 }, (_, at) => `c${at}`);
    for (const name of names) await lan.host.container(name);
    const config = { ...SLAAC, cniVersion: '1.1.0', addressing: 'dhcp6' };
    const calls = (command: 'ADD' | 'DEL') => names.map((name) => callOf(command, name, config));
    const pid = await hostPid(lan.host);
    t.same(failures(await drive(lan.host, calls('ADD'))), []);
    t.equal(server.leases().filter(({ state }) => state === 'active').length, names.length);
    t.same(failures(await drive(lan.host, calls('DEL'))), []);
    await nothingLeased(server);
    t.equal(await onRecord(lan.host), 0);
    t.equal(await hostPid(lan.host), pid);
  });
});
