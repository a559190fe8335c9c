/**
 * Moving from the reference's plugins: their containers run on while the network becomes bridge-nat's, and keep what
 * they have.
 */
import t from 'tap';
import { attach, addressOf, must } from './attach-bed.ts';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';
import { Network } from './moorings.ts';
import { asked, netmoor, refused } from './netmoor-command.ts';

t.setTimeout(180_000);

const skip = lacking() ?? false;

const FILE = '/etc/cni/net.d/10-quay.conflist';
const LEASES = '/var/lib/cni/networks/quay';
const IPAM = { type: 'host-local', ranges: [[{ subnet: '10.90.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] };
const BRIDGE = {
  type: 'bridge',
  bridge: 'quay0',
  isGateway: true,
  ipMasq: true,
  hairpinMode: true,
  ipam: IPAM,
};

/** The reference's chain. */
function define(host: Host): void {
  const plugins = [
    BRIDGE,
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'firewall', backend: 'iptables' },
  ];
  host.write(FILE, JSON.stringify({ cniVersion: '1.0.0', name: 'quay', plugins }));
}

/** The same network as bridge-nat has it, called as a runtime calls it. */
function migratedNetwork(host: Host): Network {
  const ipam = { ...IPAM, type: 'netmoor' };
  return new Network(host, { ...BRIDGE, type: 'bridge-nat', cniVersion: '1.0.0', name: 'quay', ipam });
}

async function leases(host: Host): Promise<string[]> {
  const names = (await host.shell(`ls ${LEASES}`)).split('\n');
  return names.filter((name) => /^\d/.test(name));
}

async function chains(host: Host): Promise<string[]> {
  return (await host.shell('nft list ruleset')).match(/chain CNI-DN-\w+/g) ?? [];
}

async function containers(host: Host): Promise<string[]> {
  return (await asked(host, 'ls')).view.map(({ containerId }) => containerId).sort();
}

t.test('migrate, import with --clean, and detach with ours', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host);
    const [one] = await attach(host, '--create', 'c1', '--port', '8080:80/tcp', 'quay');
    const [two] = await attach(host, '--create', 'c2', 'quay');
    await attach(host, '--create', 'c3', 'quay');
    await host.removeContainer('c3');
    const [c1, c2] = [host.at('/run/netns/c1', 'c1'), host.at('/run/netns/c2', 'c2')];
    await serve(c1, 'tcp', 80);
    await serve(host.outside, 'tcp', 80);
    const early = await refused(host, 'import', 'host-local', 'quay');
    t.equal(early.code, 7, "while it is the reference's there is nothing to take over");

    t.match(await asked(host, 'network', 'migrate', FILE, '--write'), { yes: true, view: { written: true } });
    const dry = (await asked(host, 'import', 'host-local', '--dry-run')).view;
    t.same(dry.imported.map(({ containerId }) => containerId).sort(), ['c1', 'c2']);
    t.same(
      dry.skipped.map(({ containerId }) => containerId),
      ['c3'],
      'the dead is told',
    );
    t.same(await containers(host), [], 'a dry run changes nothing');

    const { view } = await asked(host, 'import', 'host-local', '--clean');
    t.match(
      new Map(view.imported.map(({ containerId, left }) => [containerId, left])),
      new Map([['c1', []]]),
    );
    t.same(await containers(host), ['c1', 'c2']);
    t.same(await chains(host), [], 'the rules of portmap are gone');
    t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1', 'the port is published still');
    t.equal((await ask(c2, 'tcp', world.internet4, 80))?.peer, world.host4, 'and the way out is there');
    t.match(await asked(host, 'check'), { yes: true }, 'nothing is missing');
    const again = (await asked(host, 'import', 'host-local', 'quay')).view;
    t.ok(again.imported.length === 2 && again.imported.every(({ known }) => known), 'once is enough');

    const [four] = await attach(host, '--create', 'c4', 'quay');
    t.notOk([addressOf(one), addressOf(two)].includes(addressOf(four)), 'their addresses are taken');
    await must(host, 'detach', '--id', 'c1');
    t.same(await c1.ip('link', 'show', 'type', 'veth'), [], 'its interface goes');
    t.notOk((await leases(host)).includes(addressOf(one)), "and its lease, host-local's as well");
    t.same(await containers(host), ['c2', 'c4']);
    const [five] = await attach(host, '--create', 'c5', '--port', '8080:80/tcp', 'quay');
    const c5 = host.at('/run/netns/c5', 'c5');
    await serve(c5, 'tcp', 80);
    t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c5', 'the port is free');
    t.ok(five);

    await host.shell('rm /var/lib/cni/netmoor/leases.db*');
    const lost = (await asked(host, 'gc', '--rebuild')).view;
    t.same([...lost.recovered].sort(), ['quay/c2/eth0', 'quay/c4/eth0', 'quay/c5/eth0'], 'a lost store, too');
    for (const id of ['c2', 'c4', 'c5']) await must(host, 'detach', '--id', id);
    t.same(await containers(host), []);
    t.ok((await host.ip('link', 'show', 'quay0')).length > 0, 'the bridge is not ours to remove');
  });
});

t.test('without --clean the former plugins detach what they have attached', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host);
    const [one] = await attach(host, '--create', 'c1', '--port', '8080:80/tcp', 'quay');
    const [two] = await attach(host, '--create', 'c2', 'quay');
    const c1 = host.at('/run/netns/c1', 'c1');
    await serve(c1, 'tcp', 80);
    await must(host, 'network', 'migrate', FILE, '--write');
    const network = migratedNetwork(host);
    // Without results on file, as of a runtime that keeps them elsewhere, they are found by their addresses.
    await host.shell('mkdir /run/aside; mv /var/lib/cni/results/quay-c2-eth0 /run/aside');
    const { view } = await asked(host, 'import', 'host-local', 'quay');
    t.match(
      new Map(view.imported.map(({ containerId, left }) => [containerId, left])),
      new Map([
        ['c1', ['portmap', 'firewall']],
        ['c2', []],
      ]),
    );
    t.match(await asked(host, 'check'), { yes: true });
    t.equal((await ask(host.outside, 'tcp', world.host4, 8080))?.from, 'c1');

    await network.del('c2');
    t.same(await host.at('/run/netns/c2', 'c2').ip('link', 'show', 'type', 'veth'), [], 'DEL of bridge-nat');
    t.same(await leases(host), [addressOf(one)]);
    t.ok(two);
    await must(host, 'detach', '--id', 'c1');
    t.same(await containers(host), [], 'nothing is on record');
    t.same(await leases(host), []);
    t.same(await chains(host), [], 'the rules went with who had made them');
    t.same((await host.shell('nft list tables')).match(/netmoor/g), null, 'ours too');
  });
});

t.test('who lives with what another has is told, and left alone', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host);
    await attach(host, '--create', 'c1', '--port', '8080:80/tcp', 'quay');
    await must(host, 'network', 'migrate', FILE, '--write');
    const network = migratedNetwork(host);
    await network.container('c2', { ports: [{ hostPort: 8080, containerPort: 80 }] });
    const before = await host.ip('link', 'show');
    const dry = await asked(host, 'import', 'host-local', '--dry-run');
    const { yes, view } = await asked(host, 'import', 'host-local');
    t.equal(yes, false);
    t.same(dry, { yes, view: { ...view, dryRun: true } }, 'a dry run says just that');
    t.same(
      [view.imported.length, view.failures.map(({ containerId }) => containerId)],
      [0, ['c1']],
      'the port is published for another by now',
    );
    t.same(await host.ip('link', 'show'), before, 'its interface is as it was');
    await network.del('c2');
    t.equal((await asked(host, 'import', 'host-local')).view.imported.length, 1);
    t.equal((await netmoor(host, 'import', 'nonsense')).code, 2);
    t.equal((await refused(host, 'import', 'host-local', 'harbour')).code, 7);
    t.equal((await refused(host, 'import', 'host-local', '--from', '/nowhere')).code, 5);
  });
});

t.test('leases are held against what the containers have', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host);
    for (const name of ['c1', 'c2', 'c3', 'c4']) await attach(host, '--create', name, 'quay');
    await must(host, 'network', 'migrate', FILE, '--write');
    await host.shell(`ip -n c1 address flush dev eth0
      ip -n c2 address flush dev eth0
      ip -n c2 address add 10.90.0.77/24 dev eth0
      ip -n c3 address add 10.90.0.99/24 dev eth0
      ip -n c4 address flush dev eth0
      mv /var/lib/cni/results/quay-c[34]-eth0 /run`);
    const { view: dry } = await asked(host, 'import', 'host-local', '--dry-run');
    t.same(await containers(host), [], 'a dry run changes nothing');
    t.notOk(await host.shell('ls /var/lib/cni/netmoor | grep leases || true'), 'not even a store is made');
    const { yes, view } = await asked(host, 'import', 'host-local');
    t.same(dry, { ...view, dryRun: true }, 'and says just what happens then');
    const about = ({ containerId }: { containerId: string }): string => containerId;
    t.equal(yes, false);
    t.same(view.failures.map(about), ['c1', 'c2'], 'one without an address, one with another');
    t.match(view.failures[1]?.problem, '10.90.0.77', 'which is named');
    t.same(view.imported.map(about), ['c3'], 'a further one does no harm');
    t.same(view.skipped.map(about), ['c4'], 'without a result nobody is known to live there');
    t.same(await containers(host), ['c3']);
  });
});

t.test('of two with one port the first is taken over, and a dry run knows', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host);
    await attach(host, '--create', 'c1', '--port', '8080:80', 'quay');
    await attach(host, '--create', 'c2', '--port', '8081:80', 'quay');
    await must(host, 'network', 'migrate', FILE, '--write');
    // What portmap has been told, in the result that is on file, is what is published from now on.
    const file = '/var/lib/cni/results/quay-c2-eth0';
    const result = JSON.parse(await host.shell(`cat ${file}`)) as {
      capabilityArgs: { portMappings: { hostPort: number }[] };
    };
    for (const mapping of result.capabilityArgs.portMappings) mapping.hostPort = 8080;
    host.write(file, JSON.stringify(result));
    const { view: dry } = await asked(host, 'import', 'host-local', '--dry-run');
    t.same([dry.imported.length, dry.failures.length], [1, 1]);
    const { view } = await asked(host, 'import', 'host-local');
    const about = ({ imported, failures }: typeof view) =>
      [imported, failures].map((all) => all.map((each) => each.containerId));
    t.same(about(dry), about(view));
  });
});

t.test('what import makes for nobody is told, and not missed afterwards', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host);
    await attach(host, '--create', 'c1', 'quay');
    const ipam = { ...IPAM, type: 'netmoor' };
    const more = { ingressRate: 1000000, ingressBurst: 1000000, txQLen: 77, sbr: true };
    const plugins = [{ ...BRIDGE, type: 'bridge-nat', ipam, ...more }];
    host.write(FILE, JSON.stringify({ cniVersion: '1.0.0', name: 'quay', plugins }));
    const { view } = await asked(host, 'import', 'host-local');
    t.match(view.imported, [{ asBefore: ['bandwidth', 'tuning', 'sbr'] }]);
    t.match(await netmoor(host, 'import', 'host-local'), { code: 0, out: /bandwidth, tuning, sbr/ });
    t.match(await asked(host, 'check'), { yes: true });
    await must(host, 'detach', '--id', 'c1');
  });
});

t.test('an address that a container of another plugin lives with is not given out', { skip }, async (t) => {
  await withHost(t, async (host) => {
    define(host);
    // The first of the range, and one that is on no file: it answers when it is asked.
    const [one] = await attach(host, '--create', 'c1', 'quay');
    t.equal(addressOf(one), '10.90.0.2');
    await host.container('silent');
    await host.shell(`ip link add plain type veth peer eth0 netns silent
      ip link set plain master quay0 up
      ip -n silent address add 10.90.0.3/24 dev eth0
      ip -n silent address add fd00:90::2/64 dev eth0 nodad
      ip -n silent link set eth0 up`);
    const range = { subnet: '10.90.0.0/24', rangeStart: '10.90.0.2', rangeEnd: '10.90.0.4' };
    const ipam = { ranges: [[range], [{ subnet: 'fd00:90::/64', rangeStart: 'fd00:90::2' }]] };
    const network = new Network(host, { ...BRIDGE, type: 'bridge-nat', name: 'quay', ipam });
    t.match(await network.container('c2'), { ip4: '10.90.0.4', ip6: 'fd00:90::3' });
    await host.container('c3');
    t.match((await network.run('ADD', 'c3')).json, { code: 11 }, 'there is no other');
    for (const ip of ['10.90.0.2', '10.90.0.3'])
      t.match((await network.run('ADD', 'c3', { ips: [ip] })).json, { code: 101 }, `${ip} is asked for`);
    const other = new Network(host, { ...BRIDGE, type: 'bridge-nat', name: 'pier', ipam });
    t.match(
      (await other.run('ADD', 'c3', { ips: ['10.90.0.2'] })).json,
      { code: 101 },
      'by whichever network',
    );
    t.same(await containers(host), ['c2'], 'nothing is left of what failed');

    await host.removeContainer('c1');
    await network.del('c2');
    t.match(
      (await network.run('ADD', 'c3', { ips: ['10.90.0.2'] })).json,
      { ips: [{}] },
      'that of a dead one is',
    );
  });
});

t.test('leases where the former plugin’s dataDir was', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await host.shell(`mkdir -p /run/theirs/quay
      printf 'somebody\\neth0' > /run/theirs/quay/10.90.0.2
      ip link add quay0 type bridge; ip link add plain type veth peer name end
      ip link set plain master quay0 up; ip link set end up`);
    const ipam = { subnet: '10.90.0.0/24', dataDir: '/run/theirs' };
    const network = new Network(host, { ...BRIDGE, type: 'bridge-nat', name: 'quay', ipam });
    t.match(await network.container('c1'), { ip4: '10.90.0.3' });
  });
});
