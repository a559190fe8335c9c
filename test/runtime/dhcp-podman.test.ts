/** podman 4.3 with `network_backend = "cni"` and networks whose addresses a server on the LAN gives. */
import { t, test } from 'tap';
import { DhcpLan, SERVING4 } from '../dhcp/dhcp-lan.ts';
import { kea4 } from '../dhcp/kea.ts';
import { activeLease, givenBack } from '../dhcp/lease-bed.ts';
import { DhcpServer } from '../dhcp/server.ts';
import { withHost } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { PREPARE } from './hook-bundle.ts';
import { lackingFor } from './lacking.ts';
import { Podman } from './podman.ts';
import { addressesOf } from './traffic.ts';

t.setTimeout(300_000);

const skip = lackingFor('podman', 'conmon', 'runc', 'busybox', 'kea-dhcp4', 'tcpdump', 'nft');

const NETWORKS = {
  office: { type: 'bridge-nat', bridge: 'br-lan', isGateway: false, ipMasq: false },
  theirs: { type: 'bridge', bridge: 'br-lan', isGateway: false, ipMasq: false },
  away: { type: 'macvlan', master: 'br-lan', mode: 'bridge' },
};

function writeNetworks(host: Host): void {
  for (const [name, plugin] of Object.entries(NETWORKS)) {
    const plugins = [{ ...plugin, ipam: { type: 'dhcp-ipam' } }];
    host.write(`/etc/cni/net.d/20-${name}.conflist`, JSON.stringify({ cniVersion: '0.4.0', name, plugins }));
  }
}

test('podman: containers with addresses of the LAN', { skip }, async (t) => {
  const body = async (host: Host): Promise<void> => {
    const lan = await DhcpLan.open(host);
    await lan.bridge();
    writeNetworks(host);
    const server = await DhcpServer.start(host, lan.router, kea4({ ...SERVING4, seconds: 10 }));
    const podman = await Podman.start(host);
    for (const [index, network] of Object.keys(NETWORKS).entries()) {
      const place = await podman.container(`boat-${network}`, '--network', network);
      const [address = ''] = await addressesOf(place, 'eth0');
      t.match(address, /^192\.0\.2\.1[0-4]\d\/24$/, network);
      const ip4 = address.replace('/24', '');
      const { Networks } = (await podman.inspect(`boat-${network}`)).NetworkSettings;
      t.match(Networks[network], { IPAddress: ip4 });
      t.ok(activeLease(server, ip4), 'the server has it');
      const acks = server.messages().filter((message) => message === 'ACK').length;
      await server.says('ACK', { count: acks + 2, deadlineMs: 30_000 });
      t.equal(server.messages().filter((message) => message === 'DISCOVER').length, index + 1);
      await place.must(['ping', '-c', '1', '-w', '5', '192.0.2.1']);

      await podman.remove(`boat-${network}`);
      await server.says('RELEASE', { count: index + 1 });
      await t.resolves(givenBack(server, ip4));
    }
  };
  await withHost(t, body, { prepare: PREPARE });
});

test('podman: a container that is stopped and started has its address again', { skip }, async (t) => {
  const body = async (host: Host): Promise<void> => {
    const lan = await DhcpLan.open(host);
    await lan.bridge();
    writeNetworks(host);
    const server = await DhcpServer.start(host, lan.router, kea4(SERVING4));
    const podman = await Podman.start(host);
    await podman.container('boat', '--network', 'office');
    const before = server.leases();
    await podman.must('stop', '--time', '0', 'boat');
    await server.says('RELEASE');
    await podman.must('start', 'boat');
    const after = server.leases().find(({ state }) => state === 'active');
    t.match(after, { clientId: before[0]?.clientId ?? '' }, 'known by the same identity');
    await podman.remove('boat');
    await server.says('RELEASE', { count: 2 });
  };
  await withHost(t, body, { prepare: PREPARE });
});
