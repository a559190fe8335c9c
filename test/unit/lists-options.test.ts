/** Options of a network after commas as well as semicolons, and interface names past those that are taken. */
import t from 'tap';
import { assignInterfaceNames, readNetwork, readNetworks } from '../../lib/cni/lists/options.ts';
import { naming } from '../naming.ts';

t.test('a KEY=VALUE after a comma belongs to the network before it', async (t) => {
  const expected = [
    { name: 'front', ifname: 'lan0', ips: ['10.1.0.5'], mac: '02:00:00:00:00:05' },
    { name: 'back' },
  ];
  const forms = [
    'front:ifname=lan0,ip=10.1.0.5,mac=02:00:00:00:00:05,back',
    'front:lan0;ip=10.1.0.5;mac=02:00:00:00:00:05,back',
    'front:lan0,ip=10.1.0.5 mac=02:00:00:00:00:05 back',
    'front,ifname=lan0,ip=10.1.0.5,mac=02:00:00:00:00:05,back',
  ];
  for (const form of forms) t.match(readNetworks(form, 'x'), expected, form);
  t.match(readNetwork('front:ip=10.1.0.5,port=80:80,port=[::1]:81:81', 'x'), {
    ips: ['10.1.0.5'],
    ports: [{ hostPort: 80 }, { hostPort: 81, hostIP: '::1' }],
  });
  t.throws(() => readNetworks('ip=10.1.0.5,front', 'x'), {
    kind: 'bad-config',
    message: naming('"ip=10.1.0.5"'),
  });
  t.throws(() => readNetworks('front,pot=80:80', 'x'), {
    kind: 'bad-config',
    message: naming('front', '"pot"'),
  });
  t.throws(() => readNetwork('front,back', 'x'), { kind: 'bad-config', message: naming('"front,back"') });
});

t.test('interface names past those that are taken', async (t) => {
  const networks = readNetworks('a b:eth1 c d', 'x');
  const names = (taken: string[]) =>
    assignInterfaceNames(networks, 'x', new Set(taken)).map(({ ifname }) => ifname);
  t.strictSame(names([]), ['eth0', 'eth1', 'eth2', 'eth3']);
  t.strictSame(names(['lo', 'eth0', 'eth3']), ['eth2', 'eth1', 'eth4', 'eth5']);
});
