/** The syntax in which networks are asked for, shared by annotations, flags and `netmoor attach`. */
import t from 'tap';
import {
  assignInterfaceNames,
  capabilitiesOf,
  readNetwork,
  readNetworks,
  readPorts,
} from '../../lib/cni/lists/options.ts';
import { naming } from '../naming.ts';

const PLACE = 'netmoor/networks';

t.test('networks with interface names and options', async (t) => {
  t.match(readNetworks('front', PLACE), [{ name: 'front', ips: [], ports: [] }]);
  t.match(readNetworks('front:eth7, back  third:ifname=lan0', PLACE), [
    { name: 'front', ifname: 'eth7' },
    { name: 'back' },
    { name: 'third', ifname: 'lan0' },
  ]);
  const [front] = readNetworks(
    'front:lan0;ip=10.1.0.5;ip=FD00::5/64;mac=02:00:5E:10:00:01;port=[::1]:80:8080;alias=www;TIER=a=b',
    PLACE,
  );
  t.match(front, {
    name: 'front',
    ifname: 'lan0',
    ips: ['10.1.0.5', 'fd00::5/64'],
    mac: '02:00:5e:10:00:01',
    aliases: ['www'],
  });
  t.strictSame(front?.ports, [{ hostPort: 80, containerPort: 8080, protocol: 'tcp', hostIP: '::1' }]);
  t.strictSame([...(front?.args ?? [])], [['TIER', 'a=b']]);
});

t.test('refused networks', async (t) => {
  const cases: [string, ...string[]][] = [
    [''],
    [' , '],
    ['../etc', '"../etc"'],
    ['front:', 'front', '""'],
    ['front:eth0/x', 'front', '"eth0/x"'],
    ['front:a-name-of-sixteen', 'front', '"a-name-of-sixteen"', '15'],
    ['front:ip=10.1.0.256', 'front', '"10.1.0.256"'],
    ['front:mac=01:00:00:00:00:00', 'front', '01:00:00:00:00:00'],
    ['front:imac=02:00:00:00:00:01', 'front', '"imac"'],
    [Array.from({ length: 65 }, (_, i) => `n${i}`).join(), '65', '64'],
  ];
  for (const [text, ...things] of cases) {
    const wanted = { kind: 'bad-config', message: naming(PLACE, ...things) };
    t.throws(() => readNetworks(text, PLACE), wanted, text.slice(0, 40));
  }
  t.throws(() => readNetwork('front:pot=80:80', PLACE), {
    kind: 'bad-config',
    message: naming('"pot"'),
    details: naming('"port"'),
  });
});

t.test('ports', async (t) => {
  const tcp = { protocol: 'tcp' };
  t.strictSame(readPorts('2222:22/tcp', PLACE), [{ hostPort: 2222, containerPort: 22, ...tcp }]);
  const anyPort = { hostPort: 0, containerPort: 80 };
  t.strictSame(readPorts('80', PLACE), [{ ...anyPort, ...tcp }], 'any port of the host');
  t.strictSame(readPorts('80,80/udp', PLACE), [
    { ...anyPort, ...tcp },
    { ...anyPort, protocol: 'udp' },
  ]);
  t.strictSame(readPorts('127.0.0.1::80', PLACE), [{ ...anyPort, ...tcp, hostIP: '127.0.0.1' }]);
  t.strictSame(readPorts('[2001:db8::2]::80-81/udp', PLACE), [
    { ...anyPort, protocol: 'udp', hostIP: '2001:db8::2' },
    { hostPort: 0, containerPort: 81, protocol: 'udp', hostIP: '2001:db8::2' },
  ]);
  t.strictSame(readPorts('203.0.113.2:53:5353/udp', PLACE), [
    { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '203.0.113.2' },
  ]);
  t.strictSame(readPorts('5000-5001:6000-6001', PLACE), [
    { hostPort: 5000, containerPort: 6000, ...tcp, range: 2 },
  ]);
  t.strictSame(
    readPorts('1-65535:1-65535,80', PLACE),
    [
      { hostPort: 1, containerPort: 1, ...tcp, range: 65535 },
      { ...anyPort, ...tcp },
    ],
    'a range is one, however long',
  );
  t.equal(readPorts('80:80,443:443 53:53/udp', PLACE).length, 3);
  t.strictSame(readPorts('', PLACE), []);
});

t.test('refused ports', async (t) => {
  const cases: [string, ...string[]][] = [
    ['http', '"http"'],
    ['80:', '"80:"'],
    ['80:80/icmp', '"icmp"'],
    ['0:80', '"0:80"'],
    ['0', '"0"'],
    ['65536', '65536'],
    ['::80', '"::80"'],
    ['::1::80', '"::1"'],
    [':80', '":80"'],
    ['80/icmp', '"icmp"'],
    ['80:0', '"80:0"', 'port 0'],
    ['65536:80', '"65536:80"', 'port 65536'],
    ['80-81:65535-65536', '"80-81:65535-65536"', 'port 65536'],
    ['90-80:90-80', '"90-80:90-80"'],
    ['80-89:80', '"80-89:80"', '10', '1'],
    ['1-2000', '2000', '1024'],
    ['1-1000,1001-2000', '2000', '1024'],
    ['1-2000:1-2000,1000:80', 'tcp 1-2000', 'tcp 1000'],
    ['80:80,80:81', 'tcp 80'],
    ['localhost:80:80', '"localhost"'],
    ['224.0.0.1:80:80', '"224.0.0.1" is no address'],
    ['::1:80:80', '"::1"'],
    ['80:80\n;rm', '";rm"'],
  ];
  for (const [text, ...things] of cases) {
    t.throws(() => readPorts(text, PLACE), { kind: 'bad-config', message: naming(PLACE, ...things) }, text);
    t.throws(() => readPorts(text, PLACE), { message: /^(?!.*runtimeConfig)/ }, 'in words of the option');
  }
});

t.test('interface names by position, past those given', async (t) => {
  const names = (text: string): string[] =>
    assignInterfaceNames(readNetworks(text, PLACE), PLACE).map(({ ifname }) => ifname);
  t.strictSame(names('a,b,c'), ['eth0', 'eth1', 'eth2']);
  t.strictSame(names('a,b:eth0,c'), ['eth1', 'eth0', 'eth2']);
  t.strictSame(names('a:host0,b'), ['host0', 'eth0']);
  t.throws(() => names('a:eth3,b:eth3'), { kind: 'bad-config', message: naming('"eth3"') });
});

t.test('capabilities hold only what is asked for', async (t) => {
  t.strictSame(capabilitiesOf(readNetwork('a', PLACE)), {});
  t.strictSame(capabilitiesOf(readNetwork('a:ip=10.0.0.2;port=80:81;mac=02:00:00:00:00:01;alias=w', PLACE)), {
    ips: ['10.0.0.2'],
    mac: '02:00:00:00:00:01',
    portMappings: [{ hostPort: 80, containerPort: 81, protocol: 'tcp' }],
    aliases: ['w'],
  });
});
