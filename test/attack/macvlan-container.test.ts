/** What root in a container on a macvlan does to the commands of the host: nothing that others would feel. */
import t from 'tap';
import { until, withHost } from '../kernel/harness.ts';
import type { Host, Place } from '../kernel/harness.ts';
import { Lan } from '../kernel/lan.ts';
import { POOL, SLAAC, network, onRecord, skip, state } from '../kernel/macvlan-bed.ts';
import { asked, netmoor } from '../kernel/netmoor-command.ts';
import { bundled } from '../crash/bundled.ts';
import { stopped } from './attack-bed.ts';

t.setTimeout(90_000);

const VICTIM = bundled('macvlan-v6-victim');

async function interfaces(place: Place): Promise<string[]> {
  return (await place.ip('link')).map(({ ifname = '' }) => ifname);
}

/** Makes and removes macvlans on its own one as fast as it can: no list of its interfaces is ever of one moment. */
async function churning(host: Host, place: Place): Promise<() => Promise<void>> {
  const veths = Array.from({ length: 200 }, (_, n) => `link add d${n} type veth peer name p${n}\n`);
  await place.must(['ip', '-batch', '-'], { input: veths.join('') });
  const processes = [0, 1].map((which) => {
    const lines = Array.from(
      { length: 3000 },
      (_, n) => `link add link eth0 name v${which}.${n} group ${which + 7} type macvlan\n`,
    );
    host.write(`/run/harness/churn${which}`, lines.join(''));
    const script = `while :; do ip -batch /run/harness/churn${which}; ip link delete group ${which + 7}; done`;
    return place.start(['sh', '-c', script]);
  });
  await until(async () => (await interfaces(place)).some((name) => name.startsWith('v1.')), 'it churns');
  return async () => {
    for (const process of processes) await process.stop();
  };
}

t.test('interfaces that come and go while they are listed', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = network(host, POOL);
    const { place } = await lan.container('evil');
    await lan.container('dead');
    await host.container('victim');
    const stop = await churning(host, place);
    await host.removeContainer('dead');
    const elsewhere = { ranges: [[{ subnet: 'fd00:51::/64' }]], dataDir: '/opt/leases' };
    const other = network(host, { name: 'other', ipam: elsewhere });
    for (let round = 0; round < 3; round++) {
      const again = await lan.run('DEL', 'nobody', {}, {}, '');
      t.equal(again.code, 0, `DEL of what is gone: ${again.stdout}`);
      const first = await other.run('ADD', 'victim');
      t.equal(first.code, 0, `the first ADD of a store: ${first.stdout}`);
      t.equal((await other.run('DEL', 'victim')).code, 0);
    }
    const late = await lan.run('DEL', 'dead', {}, {}, '');
    t.equal(late.code, 0, `DEL of the dead: ${late.stdout}`);
    const { code, err } = await netmoor(host, 'gc');
    t.equal(code, 0, err);
    await lan.del('evil');
    await stop();
    t.notOk((await interfaces(place)).includes('eth0'), 'its own DEL works as well');
    t.equal(await onRecord(host), 0);
  });
});

t.test("the guard's table, made its own by a process of the container", { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = network(host, POOL);
    const before = await state(host);
    const { place } = await lan.container('c1');
    const table = /netmoor_inside_\w+/.exec(await place.must(['nft', 'list', 'tables']))?.[0] ?? '';
    await place.must(['nft', 'delete', 'table', 'netdev', table]);
    const owner = place.start(['nft', '-i']);
    owner.write(`add table netdev ${table} { flags owner; }\nlist tables\n`);
    await until(async () => (await place.must(['nft', 'list', 'ruleset'])).includes('owner'), 'it is taken');
    const { code, stdout } = await lan.run('DEL', 'c1');
    t.equal(code, 0, stdout);
    t.same(await interfaces(place), ['lo']);
    t.equal((await lan.run('ADD', 'c1')).json?.code, 103, 'ADD says whose it is');
    t.equal(await onRecord(host), 0, 'and holds nothing');
    await owner.stop();
    await host.removeContainer('c1');
    t.same(await state(host), before);
  });
});

t.test('of another MAC address and without a label: DEL takes it away', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const lan = network(host, POOL);
    const { place } = await lan.container('c1');
    const disguise = 'ip link set eth0 down; ip link set eth0 name lan9 address 02:00:00:00:99:01 alias';
    for (const alias of ['""', '"netmoor lan/c2/eth0"']) {
      await place.shell(`${disguise} ${alias}`);
      await lan.del('c1');
      t.same(await interfaces(place), ['lo'], alias);
      await lan.add('c1');
    }
  });
});

t.test('renamed while it is made', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const place = await host.container('c1');
    const before = await state(host);
    const call = {
      config: { cniVersion: '1.1.0', ...SLAAC, ...POOL },
      containerId: 'c1',
      ifname: 'eth0',
      netns: '/run/netns/c1',
    };
    for (const step of ['attach: macvlan created', 'attach: guarded']) {
      await stopped(
        host,
        'ADD',
        call,
        step,
        async (adding) => {
          await place.shell('ip link set eth0 name lan9');
          const { code, json } = await adding.resume();
          t.equal(code, 1, `${step}: ADD fails`);
          t.not(json?.code, 999, json?.msg ?? '');
        },
        VICTIM,
      );
      t.same(await interfaces(place), ['lo'], `${step}: and takes it back under its new name`);
      t.equal(await onRecord(host), 0);
    }
    t.same(await state(host), before);
  });
});

t.test('a name that would steer the terminal', { skip }, async (t) => {
  await withHost(t, async (host) => {
    await Lan.open(host);
    const { place } = await network(host, POOL).container('c1');
    await place.must(['ip', 'link', 'set', 'eth0', 'name', '\u001b[31mX']);
    await host.shell('mv /var/lib/cni/netmoor /opt/lost');
    const { out } = await netmoor(host, 'gc', '--unrecorded', '--dry-run');
    t.match(out, 'interface ?[31mX of lan/c1/eth0');
    t.notOk(out.includes('\u001b'));
    t.match((await asked(host, 'gc', '--unrecorded')).view, { failures: [] });
    t.same(await interfaces(place), ['lo']);
  });
});

t.test(
  'what it has put on its interface outlives DEL, and is cut off by others that are strict',
  { skip },
  async (t) => {
    await withHost(t, async (host) => {
      const lan = await Lan.open(host);
      await lan.station('peer', { addresses: ['fd00:50::9/64'] });
      const strict = network(host, { ...POOL, macspoofchk: 'strict' });
      await strict.container('other');
      const { place } = await strict.container('c1');
      await place.shell('ip link add link eth0 name mine type macvlan mode bridge');
      await strict.del('c1');
      t.same(await interfaces(place), ['lo', 'mine']);
      await place.shell('ip link set mine up; ip address add fd00:50::77/64 dev mine nodad');
      const ping = ['ping', '-n', '-q', '-c', '1', '-w', '1', 'fd00:50::9'];
      t.not((await place.run(ping)).code, 0, 'nothing of it leaves');
      await strict.del('other');
      t.equal(
        (await place.run(['ping', '-n', '-q', '-c', '1', '-w', '5', 'fd00:50::9'])).code,
        0,
        'or else all',
      );
    });
  },
);
