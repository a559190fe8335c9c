/**
 * Records of other versions, and of none: what an older netmoor left is used and released, what a newer one left is
 * used as far as it can be understood, and rubbish is released like anything else and stands in nobody's way.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { lacking, withHost, without } from './harness.ts';
import type { CniJson, Host, Snapshot } from './harness.ts';
import { Network } from './moorings.ts';
import { asked } from './netmoor-command.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
t.setTimeout(300_000);

const STORE = '/var/lib/cni/netmoor/leases.db';
/**
 * As the version before records had versions left it, of c1 on harbour and c2 on quay; @…@ stands for what differs by
 * host.
 */
const FIRST_VERSION = readFileSync(new URL('records-v1.sql', import.meta.url), 'utf8');

const LIMITS = { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 8_000_000, egressBurst: 800_000 };
const WISH = { ports: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }], bandwidth: LIMITS };

/** In SQL, by the very Node.js whose SQLite the store uses. */
async function database(host: Host, sql: string): Promise<void> {
  const program = `const { DatabaseSync } = require('node:sqlite');
    new DatabaseSync('${STORE}').exec(require('node:fs').readFileSync(0, 'utf8'));`;
  await host.must([process.execPath, '--eval', program], { input: sql });
}

async function state(host: Host): Promise<Snapshot> {
  return without(await host.snapshot({ ignoreFiles: /netmoor|\/var\/lib\/cni/ }), 'processes');
}

/** The first version knew nothing of who serves. */
const OF_THEN = { allowServers: true } as const;

function networks(host: Host): { harbour: Network; quay: Network } {
  return {
    harbour: new Network(host, {
      cniVersion: '1.0.0',
      ...OF_THEN,
      ipam: { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] },
    }),
    quay: new Network(host, {
      cniVersion: '1.0.0',
      name: 'quay',
      ...OF_THEN,
      ipam: { type: 'host-local', subnet: '10.78.0.0/24' },
    }),
  };
}

/** c1 and c2 attached, forwarding and the like already switched on; the state before, and c1's result. */
async function attached(host: Host): Promise<{ before: Snapshot; result: CniJson }> {
  const { harbour, quay } = networks(host);
  await harbour.container('c0');
  await harbour.del('c0');
  await host.container('c1');
  await host.container('c2');
  const before = await state(host);
  const result = await harbour.add('c1', WISH);
  await quay.add('c2');
  return { before, result };
}

t.test('records of the first version', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { harbour, quay } = networks(host);
    const { before, result } = await attached(host);
    const inode = async (name: string): Promise<string> =>
      (await host.must(['stat', '-L', '-c', '%d:%i', `/run/netns/${name}`])).trim();
    const boot = (await host.must(['cat', '/proc/sys/kernel/random/boot_id'])).trim();
    const sql = FIRST_VERSION.replaceAll('@BOOT@', boot)
      .replaceAll('@C1@', await inode('c1'))
      .replaceAll('@C2@', await inode('c2'));
    await host.shell(`rm ${STORE}*`);
    await database(host, `${sql}; PRAGMA user_version = 1; PRAGMA journal_mode = WAL`);

    t.match((await asked(host, 'ls')).view, [
      { containerId: 'c1', segment: 'nm-harbour', ports: [{ hostPort: 8080 }] },
      { containerId: 'c2', segment: 'nm-quay' },
    ]);
    t.match(await asked(host, 'check'), { yes: true, view: { ok: true } });
    t.equal(await harbour.check('c1', result, WISH), undefined);
    t.same((await asked(host, 'gc')).view.garbage, []);
    const { ip4 } = await harbour.container('c3');
    t.not(ip4, '10.77.0.2', 'its address is still held');
    await harbour.del('c3');
    await host.removeContainer('c3');
    await harbour.del('c1');
    await quay.del('c2');
    t.same(await state(host), before, 'the host is as it was');
    const held = await host.must(['find', '/var/lib/cni/networks/quay', '-name', '10.78.*']);
    t.equal(held, '', 'and host-local has its address back');
  });
});

const STRANGE: readonly [name: string, sql: string, readable: boolean][] = [
  [
    'of a later version, with members that nobody knows',
    `UPDATE attachment SET record = json_set(record, '$.version', 99, '$.mood', 'calm', '$.detail.colour', 'red')`,
    true,
  ],
  [
    'without what is optional',
    `UPDATE attachment SET record = json_remove(record, '$.netns', '$.host')`,
    true,
  ],
  [
    'of a later version, in another shape',
    `UPDATE attachment SET record = json_set(record, '$.version', 99, '$.addresses', json('{"v4":"10.77.0.2"}'))`,
    false,
  ],
  [
    'with a detail of a later version',
    `UPDATE attachment SET record = json_set(record, '$.detail.version', 99)`,
    false,
  ],
  [
    'with a detail that makes no sense',
    `UPDATE attachment SET record = json_set(record, '$.detail', json('{}'))`,
    false,
  ],
  ['that is no JSON', `UPDATE attachment SET record = 'ahoy'`, false],
  ['that is another one', `UPDATE attachment SET record = json_set(record, '$.containerId', 'c9')`, false],
];

for (const [name, sql, readable] of STRANGE) {
  t.test(`a record ${name}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const { harbour } = networks(host);
      const { before } = await attached(host);
      await database(host, `${sql} WHERE container = 'c1'`);

      const listed = (await asked(host, 'ls')).view;
      t.equal(listed.length, 2, 'it is listed');
      const { view, yes } = await asked(host, 'check');
      const about = view.attachments.find(({ containerId }) => containerId === 'c1');
      t.equal(yes, readable, JSON.stringify(about));
      t.equal(about?.differences.length === 0, readable, 'and named by check');
      t.same((await asked(host, 'gc')).view.garbage, [], 'it is not called dead');

      const { ip4 } = await harbour.container('c3');
      t.notMatch(['', '10.77.0.2'], ip4, 'others are attached as ever');
      await host.must(['nft', 'delete', 'table', 'inet', 'netmoor']);
      await harbour.container('c4');
      const { view: rebuilt } = await asked(host, 'check');
      t.match(rebuilt.attachments.find(({ containerId }) => containerId === 'c3')?.differences, []);
      for (const other of ['c3', 'c4']) {
        await harbour.del(other);
        await host.removeContainer(other);
      }

      await harbour.del('c1', {});
      const { quay } = networks(host);
      await quay.del('c2');
      if (!readable) t.ok((await asked(host, 'gc')).yes, 'what it shared is for gc');
      t.same(await state(host), before, 'nothing of it stays');
      t.match((await asked(host, 'check')).view, { ok: true, attachments: [], store: [] });
      const { result } = await harbour.container('c5', { ports: WISH.ports, ips: ['10.77.0.2'] });
      t.match(result.ips, [{ address: '10.77.0.2/24' }], 'its address and its port are free again');
    });
  });
}

t.test('another machine, and another network namespace', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const { harbour } = networks(host);
    const { result } = await attached(host);
    const { netnsPath } = await host.container('elsewhere');
    const OWN = new URL('../../dist/bin/netmoor', import.meta.url).pathname;
    const there = ['nsenter', `--net=${netnsPath}`, OWN];
    const { garbage } = JSON.parse(await host.must([...there, 'gc', '--json']));
    t.same(garbage, [], 'from another namespace nothing is called dead');
    const listed = JSON.parse(await host.must([...there, 'ls', '--json']));
    t.match(listed, [
      { elsewhere: naming('namespace'), stale: undefined },
      { elsewhere: naming('namespace') },
    ]);
    t.equal(await harbour.check('c1', result, WISH), undefined, 'and nothing has happened');

    await database(
      host,
      `UPDATE attachment SET boot = 'theirs', machine = 'theirs',
       record = json_set(record, '$.bootId', 'theirs', '$.host.id', 'theirs') WHERE container = 'c1'`,
    );
    t.same((await asked(host, 'gc')).view.garbage, [], 'nor is what another machine has in the store');
    await harbour.container('c3');
    t.match((await asked(host, 'ls')).view, [{ containerId: 'c1', elsewhere: naming('machine') }, {}, {}]);
  });
});
