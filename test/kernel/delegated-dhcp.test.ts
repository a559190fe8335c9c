/**
 * The reference's dhcp plugin under bridge-nat: it asks for an address on the interface, which has to be there and up
 * by then.
 */
import t from 'tap';
import { REFERENCE_PLUGINS } from './harness-cni.ts';
import { lacking, until, withHost, without } from './harness.ts';
import type { Host, Snapshot } from './harness.ts';
import type { Background } from './harness-process.ts';
import { Network } from './moorings.ts';

const skip = lacking() ?? false;
t.setTimeout(180_000);

/** A person's own bridge to a LAN, on which a machine of its own gives out addresses. */
async function lan(host: Host): Promise<Background> {
  const { netnsPath } = await host.container('router');
  await host.shell(`
    ip link add lan0 type bridge
    ip link add port0 type veth peer name eth0 netns /run/netns/router
    ip link set port0 master lan0
    ip link set port0 up
    ip link set lan0 up
    nsenter --net=${netnsPath} ip address add 192.168.77.1/24 dev eth0
    nsenter --net=${netnsPath} ip link set eth0 up`);
  const server = host.start([
    'nsenter',
    `--net=${netnsPath}`,
    'dnsmasq',
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--port=0',
    '--interface=eth0',
    '--bind-interfaces',
    '--user=root',
    '--no-ping',
    '--dhcp-authoritative',
    '--dhcp-range=192.168.77.50,192.168.77.60,255.255.255.0,1h',
    '--dhcp-leasefile=/run/dnsmasq.leases',
    '--pid-file=/run/dnsmasq.pid',
    '--log-facility=-',
  ]);
  await server.until(() => server.errors.includes('DHCP, IP range'), 'dnsmasq serves');
  return server;
}

async function daemon(host: Host): Promise<Background> {
  await host.shell('mkdir -p /run/cni');
  const started = host.start([`${REFERENCE_PLUGINS}/dhcp`, 'daemon', '-timeout', '2s', '-resendmax', '1s']);
  await until(
    async () => (await host.run(['test', '-S', '/run/cni/dhcp.sock'])).code === 0,
    'the dhcp daemon listens',
  );
  return started;
}

async function state(host: Host): Promise<Snapshot> {
  return without(
    await host.snapshot({ ignoreFiles: /netmoor|\/var\/lib\/cni|dnsmasq|\/run\/cni/ }),
    'processes',
  );
}

t.test('an address from the LAN', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const server = await lan(host);
    const plugin = await daemon(host);
    const network = new Network(host, {
      cniVersion: '1.0.0',
      name: 'lan',
      bridge: 'lan0',
      isGateway: false,
      ipMasq: false,
      ipam: { type: 'dhcp' },
    });
    await network.container('first');
    await network.del('first');
    await host.removeContainer('first');
    const place = await host.container('c1');
    const before = await state(host);
    const result = await network.add('c1');
    const address = result.ips?.[0]?.address ?? '';
    t.match(address, /^192\.168\.77\.(5\d|60)\/24$/, 'of the range of the server');
    t.equal(result.ips?.[0]?.gateway, '192.168.77.1');
    const [inside] = await place.ip('address', 'show', 'dev', 'eth0');
    t.ok(
      inside?.addr_info?.some(({ local }) => `${local}/24` === address),
      'the container has it',
    );
    const mac = inside?.address ?? '';
    const ip = address.replace('/24', '');
    t.ok(server.errors.includes(`DHCPACK(eth0) ${ip} ${mac}`), 'the server gave it to this very interface');
    await place.must(['ping', '-c1', '-W2', '192.168.77.1']);
    t.equal(await network.check('c1', result), undefined);

    await network.del('c1');
    await server.until(() => server.errors.includes(`DHCPRELEASE(eth0) ${ip} ${mac}`), 'it was given back');
    t.same(await state(host), before, 'the host is as it was');

    await server.stop();
    const refused = await network.run('ADD', 'c1');
    t.not(refused.code, 0, 'without a server there is no address');
    t.same(await state(host), before, 'and nothing stays');
    await plugin.stop();
  });
});
