/**
 * Scenario A with a whole machine: systemd-nspawn boots one whose systemd-networkd gets its addresses from the network
 * that it shares with CNI containers.
 */
import t from 'tap';
import { lackingFor } from './lacking.ts';
import { Machine } from './systemd-machine.ts';
import { until, withHost } from '../kernel/harness.ts';
import { Network } from '../kernel/moorings.ts';
import { asked } from '../kernel/netmoor-command.ts';

t.setTimeout(180_000);

const skip = lackingFor('systemd-nspawn', 'dbus-daemon', 'socat');

const CONTEST = {
  name: 'contest',
  ipam: { ranges: [[{ subnet: '192.168.8.0/24' }], [{ subnet: 'fd00:8::/64' }]] },
  dns: { nameservers: ['192.168.8.1'], domain: 'contest.example' },
  dhcpServer: true,
};
const BRIDGE = 'nm-contest';

/** networkd is started by hand: its wire is plugged in elsewhere first. */
const PREPARE = `
mkdir -p etc/systemd/network
rm -f etc/systemd/network/*
cat > etc/systemd/network/10-host0.network <<'end'
[Match]
Name=host0

[Network]
DHCP=ipv4
IPv6AcceptRA=yes
LinkLocalAddressing=ipv6

[DHCPv4]
SendHostname=yes
UseDomains=yes
Hostname=moored
end
`;

interface Address {
  readonly family: string;
  readonly local: string;
  readonly scope: string;
  readonly dynamic?: boolean;
}

async function addressesOf(machine: Machine): Promise<readonly Address[]> {
  const [link] = JSON.parse(await machine.must('ip', '-j', 'address', 'show', 'dev', 'host0'));
  return (link?.addr_info ?? []).filter(({ scope }: Address) => scope === 'global');
}

t.test('a machine of systemd-nspawn on a network of containers', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, CONTEST);
    const { place, ip4 = '' } = await network.container('judge');
    const machine = await Machine.boot(host, PREPARE);
    await machine.shell('ip address flush dev host0; ip link set host0 down');
    await host.shell(`ip address flush dev ve-moored; ip link set ve-moored master ${BRIDGE} up`);
    await machine.must('systemctl', 'start', 'systemd-networkd');
    const given = await until(async () => {
      const addresses = await addressesOf(machine);
      const v4 = addresses.find(({ family }) => family === 'inet')?.local;
      const v6 = addresses.find(({ local }) => local.startsWith('fd00:8:'))?.local;
      return v4 !== undefined && v6 !== undefined ? { v4, v6 } : undefined;
    }, 'networkd has addresses of both families');
    t.match(given.v4, /^192\.168\.8\.\d+$/);
    t.not(given.v4, ip4);
    const { view } = await asked(host, 'leases');
    const holder = view.leases.find(({ address }) => address.split('/')[0] === given.v4)?.containerId;
    t.match(holder, /^dhcp-/, 'its lease is in the one store');
    await machine.must('ping', '-c1', '-W2', ip4);
    await machine.must('ping', '-c1', '-W2', '203.0.113.1');
    await place.must(['ping', '-c1', '-W2', given.v4]);
    const status = await machine.must('networkctl', '--no-pager', 'status', 'host0');
    t.match(status, /192\.168\.8\.1\b/);
    t.match(status, /contest\.example/);

    const second = await network.container('team');
    t.not(second.ip4, given.v4);
    await network.del('team');
    await network.del('judge');
    await machine.must('ping', '-c1', '-W2', '203.0.113.1');
  });
});
