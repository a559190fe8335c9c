import t from 'tap';
import { withHost } from '../kernel/harness.ts';
import { Lan } from '../kernel/lan.ts';
import { POOL, SLAAC, network, skip } from '../kernel/macvlan-bed.ts';
import { netmoor } from '../kernel/netmoor-command.ts';
import { bundled } from '../crash/bundled.ts';
import { stopped } from './attack-bed.ts';
t.setTimeout(200_000);
const VICTIM = bundled('../crash/macvlan-v6-victim');
const say = (...x: unknown[]) =>
  process.stderr.write(x.map((y) => (typeof y === 'string' ? y : JSON.stringify(y))).join(' ') + '\n');
const only = process.env['ONLY'];
function T(name: string, body: (h: any, lan: any) => Promise<void>) {
  if (only && !name.includes(only)) return;
  t.test(name, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const lan = await Lan.open(host);
      await body(host, lan);
    });
  });
}
const timed = async (f: () => Promise<any>) => {
  const b = performance.now();
  const a: any = await f();
  return `${a.code} ${Math.round(performance.now() - b)}ms ${a.stdout ?? a.out} ${a.stderr ?? a.err}`.slice(
    0,
    500,
  );
};
T('manyrules', async (host) => {
  const lan = network(host, POOL);
  const { place } = await lan.container('c1');
  const name = /netmoor_inside_\w+/.exec(await place.must(['nft', 'list', 'tables']))?.[0];
  for (let k = 0; k < 3; k++) {
    const rules = Array.from(
      { length: 50000 },
      (_, n) => `add rule netdev ${name} egress_frame ip saddr 10.0.${n >> 8}.${n & 255} counter accept\n`,
    ).join('');
    const r = await place.run(['nft', '-f', '-'], { input: rules, deadlineMs: 100000 });
    say('rules', r.code, r.stderr.slice(0, 200));
  }
  const del = timed(() => lan.run('DEL', 'c1'));
  await host.container('b1');
  const b = network(host, { name: 'bridge', type: 'bridge-nat' });
  say(
    'beside',
    await timed(() =>
      network(host, { type: 'bridge-nat', name: 'harbour', master: undefined }).run('ADD', 'b1'),
    ),
  );
  say('del', await del);
  void b;
});
T('manyroutes', async (host) => {
  const lan = network(host, POOL);
  const { place } = await lan.container('c1');
  const lines = Array.from(
    { length: 150000 },
    (_, n) => `route add default via fe80::1 dev eth0 metric ${n + 1}\n`,
  ).join('');
  const r = await place.run(['ip', '-6', '-batch', '-'], { input: lines, deadlineMs: 100000 });
  say('routes', r.code, r.stderr.slice(0, 200));
  say(
    'second',
    await timed(() => network(host, { name: 'two', timeout: 2 }).run('ADD', 'c1', { ifname: 'eth1' })),
  );
  say(
    'third',
    await timed(() =>
      network(host, {
        name: 'three',
        ipam: { ranges: [[{ subnet: 'fd00:51::/64' }]], routes: [{ dst: '::/0' }] },
      }).run('ADD', 'c1', { ifname: 'eth2' }),
    ),
  );
  say('ls', await timed(() => netmoor(host, 'ls')));
  say('del', await timed(() => lan.run('DEL', 'c1')));
});
T('maxmetric', async (host) => {
  const lan = network(host, POOL);
  const { place } = await lan.container('c1');
  await place.must([
    'ip',
    '-6',
    'route',
    'add',
    'default',
    'via',
    'fe80::1',
    'dev',
    'eth0',
    'metric',
    '4294967295',
  ]);
  say(
    'second',
    await timed(() => network(host, { name: 'two', timeout: 2 }).run('ADD', 'c1', { ifname: 'eth1' })),
  );
  say(
    'third',
    await timed(() =>
      network(host, {
        name: 'three',
        ipam: { ranges: [[{ subnet: 'fd00:51::/64' }]], routes: [{ dst: '::/0' }] },
      }).run('ADD', 'c1', { ifname: 'eth2' }),
    ),
  );
  say((await place.ip('link')).map((l: any) => l.ifname));
});
T('manyaddrs', async (host, l) => {
  const router = await l.router();
  await router.radvd();
  const lan = network(host, POOL);
  const { place, result } = await lan.container('c1');
  const lines = Array.from(
    { length: 10000 },
    (_, n) => `address add fd00:77::${n.toString(16)}/64 dev eth0 nodad\n`,
  ).join('');
  const r = await place.run(['ip', '-batch', '-'], { input: lines, deadlineMs: 100000 });
  say('addrs', r.code, r.stderr.slice(0, 200));
  say(
    'second',
    await timed(() => network(host, { name: 'two', timeout: 5 }).run('ADD', 'c1', { ifname: 'eth1' })),
  );
  say('check', await timed(() => lan.run('CHECK', 'c1', {}, { prevResult: result })));
  say('check', await timed(() => netmoor(host, 'check')));
  say('del', await timed(() => lan.run('DEL', 'c1')));
});
T('recreate', async (host) => {
  const lan = network(host, { ...POOL, master: 'lan9', hostAccess: true });
  await host.shell('ip link add lan9 type veth peer name lan8; ip link set lan9 up; ip link set lan8 up');
  await lan.container('c1');
  await host.shell(
    'ip link del lan9; ip link add lan9 type veth peer name lan8; ip link set lan9 up; ip link set lan8 up',
  );
  await host.container('c2');
  say('c2', await timed(() => lan.run('ADD', 'c2')));
  for (const n of ['c1', 'c2']) say('del', n, await timed(() => lan.run('DEL', n)));
  say(
    (await host.run(['nft', 'list', 'ruleset'])).stdout.length,
    (await host.ip('link')).map((l: any) => l.ifname),
    await netmoor(host, 'gc'),
  );
});
T('moved', async (host) => {
  const lan = network(host, { ...POOL, master: 'lan9', hostAccess: true });
  await host.shell(
    'ip link add lan9 type veth peer name lan8; ip link set lan9 up; ip link set lan8 up; ip netns add away',
  );
  const { place, result } = await lan.container('c1');
  await host.shell('ip link set lan9 netns away');
  say('check', await timed(() => lan.run('CHECK', 'c1', {}, { prevResult: result })));
  say('ls', await timed(() => netmoor(host, 'ls')));
  say('gc', await timed(() => netmoor(host, 'gc')));
  say('gc -- rebuild', await timed(() => netmoor(host, 'gc', '--rebuild')));
  say(
    'del',
    await timed(() => lan.run('DEL', 'c1')),
    (await place.ip('link')).map((l: any) => l.ifname),
  );
  say(
    (await host.run(['nft', 'list', 'ruleset'])).stdout.length,
    (await host.ip('link')).map((l: any) => l.ifname),
    await netmoor(host, 'gc'),
  );
});
T('steps', async (host) => {
  const place = await host.container('c1');
  const call = {
    config: { cniVersion: '1.1.0', ...SLAAC, ...POOL, hostAccess: true },
    containerId: 'c1',
    ifname: 'eth0',
    netns: '/run/netns/c1',
  };
  const deeds: Record<string, [any, string]> = {
    'set down': [host, 'ip link set lan0 down; ip link set lan0 up'],
    flush: [host, 'nft flush ruleset'],
    deltable: [host, 'nft delete table netdev netmoor'],
    delchain: [
      host,
      'for i in 1; do c=$(nft list table netdev netmoor | grep -o "egress_[0-9]*" | tail -1); nft delete chain netdev netmoor $c; done',
    ],
    flushset: [host, 'nft flush set netdev netmoor ports'],
    disable6: [place, 'echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6'],
    delif: [place, 'ip link del eth0'],
    mac: [place, 'ip link set eth0 address 02:00:00:00:00:77'],
    up: [place, 'ip link set eth0 up'],
    nested: [place, 'unshare -n sleep 5 & sleep 0.2; ip link set eth0 netns $!'],
    delnmh: [host, 'ip link del $(ip -o link | grep -o "nmh[0-9]*" | head -1)'],
    rename: [host, 'ip link set lan0 down; ip link set lan0 name wan0; ip link set wan0 up'],
    unrename: [host, 'ip link set wan0 down; ip link set wan0 name lan0; ip link set lan0 up'],
  };
  for (const step of [
    'attach: macvlan created',
    'attach: guarded',
    'attach: container configured',
    'attach: addresses guarded',
    'attach: host access given',
  ])
    for (const [what, [where, script]] of Object.entries(deeds)) {
      if (what === 'unrename') {
        await host.run(['sh', '-c', script]);
        continue;
      }
      await stopped(
        host,
        'ADD',
        call,
        step,
        async (adding) => {
          const r = await where.run(['sh', '-c', script]);
          const b = performance.now();
          const { code, json } = await adding.resume();
          let check = '';
          if (code === 0) {
            const c = await host.cni([process.execPath, VICTIM, '', ''], 'CHECK', {
              ...call,
              config: { ...call.config, prevResult: json },
            });
            check = c.code + ' ' + (c.json?.msg ?? '');
          }
          say(
            step,
            '|',
            what,
            r.code,
            '|',
            code,
            Math.round(performance.now() - b),
            json?.code,
            json?.msg ?? '',
            check,
          );
        },
        VICTIM,
      );
      if (what === 'rename') await host.run(['sh', '-c', deeds['unrename']![1]]);
      const d = await host.cni([process.execPath, VICTIM, '', ''], 'DEL', call);
      const left = [
        (await place.ip('link')).map((l: any) => l.ifname).join(),
        (await host.ip('link')).map((l: any) => l.ifname).join(),
        (await host.must(['nft', 'list', 'ruleset'])).length,
        (await place.must(['nft', 'list', 'ruleset'])).length,
        (await netmoor(host, 'ls')).out.split('\n').length,
      ].join(' ');
      if (d.code !== 0 || left !== 'lo lo,uplink,lan0 0 0 2') say('   LEFT', d.code, d.stdout, left);
      await netmoor(host, 'gc');
      await place.run(['nft', 'flush', 'ruleset']);
      await place.run(['ip', 'link', 'del', 'eth0']);
    }
});
