/**
 * `netmoor gc`: what the dead and the killed leave behind goes, what lives stays, and what is not ours is never
 * touched.
 */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ask, lacking, serve, until, withHost, without, world } from './harness.ts';
import type { Host, Snapshot } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
t.setTimeout(300_000);

const VICTIM = fileURLToPath(new URL('../crash/bridge-nat-victim.ts', import.meta.url));
const STORE = '/var/lib/cni/netmoor/leases.db';

const COMMENT = 'netmoor people wrote this';

/** A host whose forward chains drop by default, so that a way through them has to be made, and cleared away. */
const FIREWALL = `
nft 'table inet filter { chain forward { type filter hook forward priority filter; policy drop; }; }'
iptables-nft -A FORWARD -m comment --comment "${COMMENT}" -j ACCEPT
iptables-nft -P FORWARD DROP
`;

/** Addresses are still being looked for duplicates of; their routes come afterwards. */
async function isSettling(host: Host): Promise<boolean> {
  return (await host.must(['ip', '-6', 'address', 'show', 'tentative'])) !== '';
}

async function state(host: Host): Promise<Snapshot> {
  await until(async () => !(await isSettling(host)), 'duplicate address detection is over');
  return without(await host.snapshot({ ignoreFiles: /netmoor/ }), 'processes');
}

/** The state after a first use: what it switched on in the kernel stays on. */
async function used(host: Host, network: Network): Promise<Snapshot> {
  await host.shell(FIREWALL);
  await network.container('first');
  await network.del('first');
  await host.removeContainer('first');
  return state(host);
}

/** Ends a container, and waits for the kernel to have taken its namespace apart, which happens in the background. */
async function end(host: Host, name: string): Promise<void> {
  const { view } = await asked(host, 'ls');
  const names = view
    .filter(({ containerId }) => containerId === name)
    .map(({ hostIfname }) => hostIfname ?? '');
  await host.removeContainer(name);
  const gone = async (): Promise<boolean> => {
    const links = (await host.ip('link', 'show')).map(({ ifname }) => ifname);
    return !names.some((each) => links.includes(each));
  };
  await until(gone, `the interfaces of ${name} are gone`);
}

async function collect(host: Host, ...args: string[]): Promise<string[]> {
  const { yes, view } = await asked(host, 'gc', ...args);
  if (!yes || view.failures.length > 0) throw new Error(JSON.stringify(view.failures));
  return view.garbage.map(({ kind, what }) => `${kind} ${what}`);
}

t.test('containers that died without DEL', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const before = await used(host, network);
    const ports = [{ hostPort: 5300, containerPort: 53, protocol: 'udp' }];
    const c1 = await network.container('c1');
    await network.container('c2', { ports });
    t.same(await collect(host), [], 'the living are left alone');
    await end(host, 'c2');
    const dead = await state(host);
    t.same(await collect(host, '--dry-run'), ['attachment harbour/c2/eth0']);
    t.same(await state(host), dead, 'a dry run changes nothing');
    t.match((await asked(host, 'ls')).view, [{ containerId: 'c1' }, { containerId: 'c2' }]);
    t.same(await collect(host), ['attachment harbour/c2/eth0']);
    t.same(await collect(host), [], 'and once is enough');
    await serve(host.outside, 'tcp', 80);
    t.match(
      await ask(c1.place, 'tcp', world.internet4, 80),
      { from: 'outside' },
      'the other one is still there',
    );
    const [last] = (await asked(host, 'ls')).view;
    await end(host, 'c1');
    const { yes, view } = await asked(host, 'gc');
    const reason = naming(last?.hostIfname ?? 'none');
    t.ok(yes);
    t.match(view.garbage, [{ kind: 'attachment', what: 'harbour/c1/eth0', reason }]);
    t.same(await collect(host), []);
    t.same(await state(host), before, 'nothing is left');
  });
});

/** The state of an attachment whose command died. */
const STATE_OF = { ADD: 'attaching', DEL: 'detaching' };

t.test('an ADD and a DEL that were killed half-way', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, {
      ...DUAL_STACK,
      runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'udp' }] },
    });
    const before = await used(host, network);
    for (const [command, step] of [
      ['ADD', 'attach: intent recorded'],
      ['ADD', 'attach: veth created'],
      ['ADD', 'attach: rules written'],
      ['DEL', 'detach: marked'],
      ['DEL', 'detach: interfaces seen to'],
    ] as const) {
      await host.container('c1');
      if (command === 'DEL') await network.add('c1');
      const call = {
        config: network.config,
        containerId: 'c1',
        ifname: 'eth0',
        netns: '/run/netns/c1',
        path: '/usr/lib/cni',
      };
      const killed = await host.cni([process.execPath, VICTIM, step], command, call);
      t.equal(
        killed.signal ?? killed.code,
        killed.signal === undefined ? 137 : 'SIGKILL',
        `${command} dies at ${step}`,
      );
      t.match((await asked(host, 'ls')).view, [
        { containerId: 'c1', state: STATE_OF[command], stale: String },
      ]);
      t.same(await collect(host), ['attachment harbour/c1/eth0'], step);
      await host.removeContainer('c1');
      t.same(await state(host), before, `nothing is left of ${step}`);
    }
  });
});

/** What netmoor might leave behind, made by hand, beside what looks like it and is somebody else's. */
const ORPHANS = `
ip link add nmv0123456789a type veth peer name peer0
ip link add nm-lost type bridge
ip link set nm-lost alias netmoor
ip link set nmv0123456789a master nm-lost
ip link add theirs type bridge
ip address add 10.6.0.1/24 dev theirs
ip link add nmvharbour type veth peer name peer1
ip link add nmv0123456789b type bridge
ip link add nm-own type bridge
ip link add nm-tap type bridge
ip link set nm-tap alias netmoor
ip link add tap0 type veth peer name tap1
ip link set tap0 master nm-tap
nft 'add element inet netmoor masq4 { 10.77.0.99 comment "harbour/gone/eth0" }'
nft 'add element inet netmoor masq4 { 10.77.0.98 comment "harbour/c1/eth0" }'
nft 'add element inet netmoor publish4 { tcp . 99 comment "harbour/gone/eth0" : 10.77.0.99 . 99 }'
nft 'add element inet netmoor bridges { "nm-lost" comment "bridge nm-lost" }'
nft 'insert rule inet filter forward iifname "nm-lost" accept comment "netmoor nm-lost"'
iptables-nft -I FORWARD -i nm-lost -m comment --comment "netmoor nm-lost" -j ACCEPT
nft 'add table inet theirs { set masq4 { type ipv4_addr; elements = { 10.77.0.99 comment "harbour/gone/eth0" }; }; }'
`;

t.test('what no attachment accounts for', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    await used(host, network);
    const c1 = await network.container('c1', { ports: [{ hostPort: 8080, containerPort: 80 }] });
    await host.shell(ORPHANS);
    t.match(await asked(host, 'gc', '--dry-run'), { yes: true, view: { dryRun: true } });
    t.same((await collect(host, '--unrecorded')).sort(), [
      'bridge bridge nm-lost',
      "forwarding the way through the host's firewall for bridge nm-lost",
      'interface interface nmv0123456789a',
      'rules 1 nftables element of bridge nm-lost',
      'rules 1 nftables element of harbour/c1/eth0',
      'rules 2 nftables elements of harbour/gone/eth0',
    ]);
    t.same(await collect(host), []);
    t.match(await asked(host, 'check'), { yes: true }, 'the living one has all it needs');
    await serve(c1.place, 'tcp', 80);
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' });

    const links = (await host.ip('link', 'show')).map(({ ifname }) => ifname);
    for (const name of ['theirs', 'nmvharbour', 'nmv0123456789b', 'nm-own', 'nm-tap', 'tap0']) {
      t.ok(links.includes(name), `${name} is not ours to remove`);
    }
    const [theirs] = await host.ip('address', 'show', 'dev', 'theirs');
    t.same(
      theirs?.addr_info?.filter(({ family }) => family === 'inet').map(({ local }) => local),
      ['10.6.0.1'],
    );
    t.match(await host.must(['nft', 'list', 'table', 'inet', 'theirs']), naming('harbour/gone/eth0'));
    t.match(await host.must(['iptables-nft', '-S', 'FORWARD']), naming(COMMENT));
    await host.must(['ip', 'link', 'del', 'tap0']);
    t.same(await collect(host), ['bridge bridge nm-tap'], 'once nothing is plugged into it');
  });
});

t.test('a store that was lost, and what is left of it swept', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const before = await used(host, network);
    await network.container('c1', { ports: [{ hostPort: 8080, containerPort: 80 }] });
    await host.shell('ip link add theirs type bridge; ip address add 10.6.0.1/32 dev theirs');
    await new Network(host, {
      name: 'pier',
      bridge: 'theirs',
      isGateway: true,
      forceAddress: true,
      ipam: { ranges: [[{ subnet: 'fd00:78::/64' }]] },
    }).container('c2');
    await host.shell(`rm ${STORE} ${STORE}-wal ${STORE}-shm`);
    const garbage = (await collect(host, '--unrecorded')).join('\n');
    t.match(
      garbage,
      /^interface interface nmv\w{11}\ninterface interface nmv\w{11}\n(.*\n)*bridge bridge nm-harbour$/m,
    );
    t.match(garbage, /^address fd00:78::1\/64 on bridge theirs$/m);
    t.same(await collect(host), []);
    const [theirs] = await host.ip('address', 'show', 'dev', 'theirs');
    const left = theirs?.addr_info?.filter(({ scope }) => scope === 'global').map(({ local }) => local);
    t.same(left, ['10.6.0.1'], 'the bridge that a person made stays, with its own address');
    await host.shell('ip link del theirs');
    for (const name of ['c1', 'c2']) await host.removeContainer(name);
    t.same(await state(host), before, 'nothing is left');
  });
});

t.test('hundreds of interfaces', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const names = Array.from({ length: 150 }, (_, i) => `nmv${String(i).padStart(11, '0')}`);
    const lines = names.map((name, i) => `link add ${name} type veth peer name p${i}`);
    await host.must(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` });
    t.same(
      (await collect(host, '--unrecorded')).sort(),
      names.map((name) => `interface interface ${name}`),
    );
    t.same(
      (await host.ip('link', 'show')).map(({ ifname }) => ifname),
      ['lo', 'uplink'],
    );
  });
});

/** Makes the store one that was last used before the machine was started. */
const REBOOT = `
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync('${STORE}');
database.exec("UPDATE attachment SET boot = 'before', record = json_set(record, '$.bootId', 'before')");
database.exec("UPDATE meta SET value = 'before' WHERE key LIKE 'boot%'");
`;

t.test('after a reboot', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const lan = {
      cniVersion: '1.0.0',
      name: 'lan',
      type: 'macvlan',
      ipam: { type: 'netmoor', subnet: '192.168.7.0/24' },
    };
    const call = { config: lan, containerId: 'vm', ifname: 'eth0', netns: '/run/netns/vm' };
    await host.cniMust('netmoor', 'ADD', call);
    t.same(await collect(host), [], 'an address is held while the host runs');
    await host.must([process.execPath, '--eval', REBOOT]);
    t.match((await asked(host, 'ls')).view, [{ containerId: 'vm', state: 'attached', stale: String }]);
    t.same(await collect(host, '--dry-run'), ['attachment lan/vm/eth0', 'network the record of network lan']);
    t.same(await collect(host), ['attachment lan/vm/eth0', 'network the record of network lan']);
    t.same(await collect(host), []);
    t.same((await asked(host, 'leases')).view, { leases: [], usage: [], dhcp: [] });
  });
});

t.test('what another IPAM plugin keeps across a reboot', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const ipam = { type: 'host-local', subnet: '10.9.0.0/24', dataDir: '/opt/leases' };
    const network = new Network(host, { cniVersion: '1.0.0', name: 'old', ipam });
    await network.container('c1');
    t.match(await host.shell('ls /opt/leases/old'), /^10\.9\.0\.2$/m);
    await host.must([process.execPath, '--eval', REBOOT]);
    t.match(await collect(host), ['attachment old/c1/eth0']);
    t.notMatch(await host.shell('ls /opt/leases/old'), /^10\.9\.0\.2$/m, 'is given back to it');
  });
});

t.test('bridges that are to stay, and stores elsewhere', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const kept = new Network(host, { ...DUAL_STACK, bridge: 'pier', keepBridge: true });
    await kept.container('c1');
    await kept.del('c1');
    await until(
      async () => (await host.ip('link', 'show', 'pier'))[0]?.operstate === 'DOWN',
      'pier has no port any more',
    );
    const elsewhere = new Network(host, {
      name: 'far',
      ipam: { subnet: '10.88.0.0/24', dataDir: '/opt/leases' },
    });
    await elsewhere.container('c2');
    const before = await state(host);
    t.same(await collect(host), []);
    t.same(await collect(host, '--data-dir', '/var/lib/cni/netmoor'), []);
    t.same(await state(host), before, 'both are as they were');
    t.match((await asked(host, 'ls')).view, [{ containerId: 'c2' }], 'all stores are looked at');
    t.same((await asked(host, 'ls', '--data-dir', '/var/lib/cni/netmoor')).view, [], 'or one');
    t.match(await asked(host, 'check'), { yes: true });
    await end(host, 'c2');
    t.same(await collect(host), ['attachment far/c2/eth0']);
    t.match(
      (await host.ip('link', 'show')).map(({ ifname }) => ifname),
      ['lo', 'uplink', 'pier'],
    );
  });
});

t.test('while containers come and go', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const before = await used(host, network);
    const names = ['c1', 'c2', 'c3', 'c4'];
    for (const name of names) await host.container(name);
    const ports = (name: string) => [
      { hostPort: 8000 + Number(name.slice(1)), containerPort: 80, protocol: 'udp' },
    ];
    let busy = true;
    const lives = names.map(async (name) => {
      for (let round = 0; round < 6; round++) {
        const result = await network.add(name, { ports: ports(name) });
        t.equal(
          await network.check(name, result, { ports: ports(name) }),
          undefined,
          `${name} has all it was promised`,
        );
        await network.del(name, { ports: ports(name) });
      }
    });
    const collector = async (): Promise<number> => {
      let rounds = 0;
      for (; busy; rounds++) t.same(await collect(host), [], 'there was nothing to collect');
      return rounds;
    };
    const collecting = collector();
    await Promise.all(lives).finally(() => {
      busy = false;
    });
    t.ok((await collecting) > 0);
    for (const name of names) await host.removeContainer(name);
    t.same(await state(host), before);
  });
});
