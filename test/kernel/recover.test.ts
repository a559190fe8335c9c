/**
 * A store that is lost, in whole or in part: who lives keeps network and address, and comes back on record from what
 * the kernel has of him.
 */
import t from 'tap';
import type { Test } from 'tap';
import { ask, lacking, serve, withHost, without, world } from './harness.ts';
import type { Host, Place, Snapshot } from './harness.ts';
import { DUAL_STACK, Network } from './moorings.ts';
import type { Wish } from './moorings.ts';
import { asked, netmoor } from './netmoor-command.ts';

const skip = lacking() ?? false;
t.setTimeout(300_000);

const STORE = '/var/lib/cni/netmoor/leases.db';
const PORTS = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 5300, containerPort: 53, protocol: 'udp', hostIP: world.host4 },
];

async function state(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /netmoor|\/var\/lib\/cni/ }), 'processes');
}

interface Attached {
  readonly place: Place;
  readonly ip4: string;
  readonly ip6: string;
}

/** A host on which forwarding and the like are on already, with namespaces for three containers. */
async function primed(
  host: Host,
  network: Network,
): Promise<{ before: Snapshot; attach: (name: string, wish?: Wish, to?: Network) => Promise<Attached> }> {
  await network.container('first');
  await network.del('first');
  await host.removeContainer('first');
  const places = new Map<string, Place>();
  for (const name of ['c1', 'c2', 'c3']) places.set(name, await host.container(name));
  return {
    before: await state(host),
    async attach(name, wish = {}, to = network) {
      const { ips = [] } = await to.add(name, wish);
      const find = (separator: string): string =>
        ips.map(({ address }) => address.replace(/\/.*/, '')).find((text) => text.includes(separator)) ?? '';
      const place = places.get(name);
      if (place === undefined) throw new Error(`no namespace for ${name}`);
      return { place, ip4: find('.'), ip6: find(':') };
    },
  };
}

async function reaches(t: Test, from: Place, gateway: string, what: string): Promise<void> {
  t.equal((await from.run(['ping', '-c1', '-W2', gateway])).code, 0, what);
}

t.test('lost as a whole: gc leaves the living alone, and ADD finds them', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { before, attach } = await primed(host, network);
    const c1 = await attach('c1', { ports: PORTS });
    await attach('c2');
    await host.shell(`rm ${STORE}*`);

    const { view } = await asked(host, 'gc');
    t.same(view.garbage, [], 'nothing is removed');
    t.same([...view.unrecorded].sort(), ['harbour/c1/eth0', 'harbour/c2/eth0'], 'but told');
    await reaches(t, c1.place, '10.77.0.1', 'the container still has its network');
    await serve(c1.place, 'tcp', 80);
    t.match(await ask(host.outside, 'tcp', world.host4, 8080), { from: 'c1' }, 'and its port');

    const answer = await network.run('ADD', 'c3');
    t.equal(answer.code, 0);
    t.notOk(
      answer.json?.ips?.some(({ address }) => [c1.ip4, c1.ip6].includes(address.split('/')[0] ?? '')),
      'nobody gets an address of theirs',
    );
    const listed = (await asked(host, 'ls')).view;
    t.same(listed.map(({ containerId }) => containerId).sort(), ['c1', 'c2', 'c3'], 'all are on record');
    const [one] = listed.filter(({ containerId }) => containerId === 'c1');
    t.match(one, {
      addresses: [{ address: `${c1.ip4}/24`, gateway: '10.77.0.1' }, { address: `${c1.ip6}/64` }],
    });
    t.same(one?.ports.map(({ protocol, hostPort }) => `${protocol} ${hostPort}`).sort(), [
      'tcp 8080',
      'udp 5300',
    ]);
    t.match(await asked(host, 'check'), { yes: true }, 'and as they were');
    for (const name of ['c1', 'c2', 'c3']) await network.del(name);
    t.same(await state(host), before, 'the host is as it was');
    t.match((await asked(host, 'check')).view, { ok: true, attachments: [], store: [] });
  });
});

t.test('gc --rebuild, and gc --unrecorded', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const delegated = new Network(host, {
      cniVersion: '1.0.0',
      name: 'quay',
      ipMasq: false,
      ipam: { type: 'host-local', subnet: '10.78.0.0/24' },
    });
    const { attach } = await primed(host, network);
    const c1 = await attach('c1');
    const c2 = await attach('c2', {}, delegated);
    await host.shell(`rm ${STORE}*`);
    t.same((await asked(host, 'gc', '--rebuild', '--dry-run')).view.recovered.length, 2);
    t.same((await asked(host, 'ls')).view, [], 'a dry run puts nothing back');
    t.same((await asked(host, 'gc', '--rebuild')).view.recovered.length, 2);
    t.match(
      new Map(
        (await asked(host, 'ls')).view.map(({ containerId, addresses }) => [
          containerId,
          addresses[0]?.address,
        ]),
      ),
      new Map([
        ['c1', `${c1.ip4}/24`],
        ['c2', `${c2.ip4}/24`],
      ]),
    );
    t.same((await asked(host, 'gc')).view.garbage, []);

    await host.shell(`rm ${STORE}*`);
    await host.shell(
      `for link in $(ip -o link | grep -o 'nmv[0-9a-f]*'); do ip link set "$link" alias ''; done`,
    );
    const nameless = (await asked(host, 'gc')).view;
    t.same(nameless.garbage, [], 'an interface that says nothing proves as much');
    await reaches(t, c2.place, '10.78.0.1', 'its container is left alone');
    const swept = (await asked(host, 'gc', '--unrecorded')).view.garbage.map(({ kind }) => kind);
    t.ok(swept.includes('interface') && swept.includes('bridge'), 'unless told otherwise');
    t.notOk(
      (await host.ip('link', 'show')).some(({ ifname = '' }) => /^nm/.test(ifname)),
      'then nothing stays',
    );
  });
});

t.test('lost in part: an address in use is not given out again', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { before, attach } = await primed(host, network);
    const c1 = await attach('c1');
    await attach('c2');
    const program = `const { DatabaseSync } = require('node:sqlite');
      const db = new DatabaseSync('${STORE}');
      db.exec("DELETE FROM address WHERE attachment = (SELECT id FROM attachment WHERE container = 'c1')");
      db.exec("DELETE FROM attachment WHERE container = 'c1'");
      for (const table of ['run', 'cursor', 'released']) db.exec('DELETE FROM ' + table);`;
    await host.must([process.execPath, '--eval', program]);
    const wished = await network.run('ADD', 'c3', { ips: [c1.ip4] });
    t.match(wished, { code: 1, json: { code: 101 } }, 'not even to whom asks for it');
    t.match(wished.json?.msg, 'harbour/c1/eth0', 'who is told who has it');
    const { json } = await network.run('ADD', 'c3');
    t.not(json?.ips?.[0]?.address, `${c1.ip4}/24`);
    await reaches(t, c1.place, '10.77.0.1', 'its holder has lost nothing');
    for (const name of ['c1', 'c2', 'c3']) await network.del(name);
    t.same(await state(host), before);
  });
});

t.test('what is noted of other stores may be deleted', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const far = new Network(host, {
      name: 'far',
      ipam: { ranges: [[{ subnet: '10.79.0.0/24' }]], dataDir: '/opt/leases' },
    });
    const { place } = await far.container('c1');
    await host.shell('rm -r /run/netmoor/stores');
    t.same((await asked(host, 'gc')).view.garbage, []);
    await reaches(t, place, '10.79.0.1', 'its containers live on');
    const { code, err } = await netmoor(host, 'gc');
    t.equal(code, 0, err);
    await far.del('c1');
    t.notOk((await host.ip('link', 'show')).some(({ ifname = '' }) => /^nm/.test(ifname)));
  });
});

t.test('an automatic network keeps its subnets', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { name: 'auto' });
    const c1 = await network.container('c1');
    await host.shell(`rm ${STORE}*`);
    const c2 = await network.container('c2');
    t.equal(c2.ip4.split('.').slice(0, 3).join('.'), c1.ip4.split('.').slice(0, 3).join('.'));
    await reaches(t, c1.place, c2.ip4, 'they reach each other');
  });
});

t.test('ADD again of who lives, and was lost', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    await network.container('c1', { ports: PORTS });
    await host.container('next');
    await host.shell(`rm ${STORE}*`);
    t.match(await network.run('ADD', 'c1', { ports: PORTS }, {}, '/run/netns/next'), { code: 0 });
    t.same((await asked(host, 'gc')).view, {
      dryRun: false,
      garbage: [],
      failures: [],
      recovered: [],
      unrecorded: [],
    });
    await network.del('c1');
    t.notOk((await host.ip('link', 'show')).some(({ ifname = '' }) => /^nm/.test(ifname)));
  });
});

t.test('a label that names another container is not believed', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, DUAL_STACK);
    const { attach } = await primed(host, network);
    await attach('c1');
    const c2 = await attach('c2');
    const links = await host.ip('link', 'show');
    const [one, two] = ['c1', 'c2'].map((name) =>
      links.find((link) => String(link['ifalias']).startsWith(`netmoor harbour/${name}/`)),
    );
    const label = (link: typeof one, text: string) =>
      host.must(['ip', 'link', 'set', String(link?.ifname), 'alias', text]);
    await label(one, String(two?.['ifalias']));
    await label(two, String(one?.['ifalias']));
    await host.shell(`rm ${STORE}*`);
    await asked(host, 'gc', '--rebuild');
    await network.del('c1');
    await reaches(t, c2.place, '10.77.0.1', 'its interface does not go with that of another');
    await network.del('c2');
    t.notOk((await host.ip('link', 'show')).some(({ ifname = '' }) => /^nm/.test(ifname)));
  });
});

t.test('an older copy of the store, and nothing but an interface to tell', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host, { ...DUAL_STACK, ipMasq: false });
    const { before, attach } = await primed(host, network);
    const c1 = await attach('c1');
    await host.shell(`cp ${STORE} /opt/older.db; cp ${STORE}-wal /opt/older.db-wal`);
    const c2 = await attach('c2');
    await host.shell(`rm ${STORE}*; cp /opt/older.db ${STORE}; cp /opt/older.db-wal ${STORE}-wal`);
    t.match((await asked(host, 'ls')).view, [{ containerId: 'c1' }], 'the store knows one of them');
    const c3 = await attach('c3');
    t.notOk([c1.ip4, c2.ip4].includes(c3.ip4), 'the third gets neither address');
    t.same((await asked(host, 'ls')).view.map(({ containerId }) => containerId).sort(), ['c1', 'c2', 'c3']);
    await reaches(t, c2.place, c3.ip4, 'all reach each other');
    for (const name of ['c1', 'c2', 'c3']) await network.del(name);
    t.same(await state(host), before);
  });
});
