/**
 * The command line: verbs, options, mistakes in them, and what each verb prints of a store without a kernel behind it.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import t from 'tap';
import { RECORD_VERSION } from '../../ipam/record.ts';
import { answer } from '../../cli/netmoor.ts';
import { validate as validError } from '../../schemas/compiled/cli-error.js';
import { validate as validCheck } from '../../schemas/compiled/cli-check.js';
import { validate as validLeases } from '../../schemas/compiled/cli-leases.js';
import { validate as validLs } from '../../schemas/compiled/cli-ls.js';
import { validate as validNetworks } from '../../schemas/compiled/cli-networks.js';
import { validate as validVersion } from '../../schemas/compiled/cli-version.js';
import { recordOf, storeWorld } from './cli-fakes.ts';
import { naming } from '../naming.ts';

const { world, store, dir, parent } = storeWorld();
t.teardown(() => rmSync(parent, { recursive: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { exitCode, stdout, stderr } = await answer({ args, columns: undefined, environment: {} }, world);
  return { code: exitCode, out: stdout, err: stderr };
}

async function json(...args: string[]): Promise<unknown> {
  const { code, out, err } = await run(...args, '--json', '--data-dir', dir);
  if (code !== 0) throw new Error(err);
  return JSON.parse(out);
}

t.test('mistakes are named, with the nearest word there is', async (t) => {
  const refused = async (args: string[], err: string): Promise<void> => {
    t.same(await run(...args), { code: 2, out: '', err }, args.join(' '));
  };
  await refused(['lss'], 'netmoor: unknown verb lss\n  did you mean ls? "netmoor help" lists the verbs\n');
  await refused(['frobnicate'], 'netmoor: unknown verb frobnicate\n  "netmoor help" lists the verbs\n');
  await refused(['constructor'], 'netmoor: unknown verb constructor\n  "netmoor help" lists the verbs\n');
  await refused(
    ['ls', '--jsno'],
    'netmoor: ls has no option --jsno\n  did you mean --json? "netmoor ls --help" lists its options\n',
  );
  await refused(
    ['gc', '--dryrun'],
    'netmoor: gc has no option --dryrun\n  did you mean --dry-run? "netmoor gc --help" lists its options\n',
  );
  await refused(
    ['ls', '--dry-run'],
    'netmoor: ls has no option --dry-run\n  "netmoor ls --help" lists its options\n',
  );
  await refused(['ls', '-x'], 'netmoor: ls has no option -x\n  "netmoor ls --help" lists its options\n');
  await refused(
    ['show', 'a', 'b'],
    'netmoor: show does not know what to do with b\n  "netmoor show --help" says what it takes\n',
  );
  await refused(
    ['ls', '--data-dir'],
    'netmoor: --data-dir needs a value\n  write netmoor ls --data-dir DIR\n',
  );
  await refused(
    ['ls', '--data-dir', 'a', '--data-dir', 'b'],
    'netmoor: --data-dir is given more than once\n  give it once\n',
  );
  await refused(
    ['help', 'lease'],
    'netmoor: unknown verb lease\n  did you mean leases? "netmoor help" lists the verbs\n',
  );
});

t.test('help', async (t) => {
  const help = await run('help');
  t.equal(help.code, 0);
  for (const verb of ['ls', 'leases', 'networks', 'show', 'check', 'gc', 'version', 'help']) {
    t.match(help.out, new RegExp(`^  ${verb} +\\w`, 'm'));
    const about = await run(verb, '--help');
    t.match(about, { code: 0, err: '' });
    t.match(about.out, new RegExp(`^usage: netmoor ${verb}\\b`, 'm'));
    t.same(await run('help', verb), about, 'said the same in both ways');
  }
  t.same(await run('--help'), help);
  t.same(await run(), { code: 2, out: '', err: help.out }, 'no verb is a mistake');
  const { verbs } = (await json('help')) as { verbs: { name: string }[] };
  for (const { name } of verbs) t.match(help.out, new RegExp(`^  ${name} `, 'm'));
  const version = await json('version');
  t.ok(validVersion(version), JSON.stringify(validVersion.errors));
  t.match((await run('--version')).out, /^netmoor \d+\.\d+\.\d+\n/);
});

/** The network that is there without any configuration. */
const BUILT_IN = {
  name: 'netmoor',
  plugin: 'bridge-nat',
  subnets: [],
  automatic: false,
  attachments: 0,
  source: 'built in',
};

t.test('with --json an error is JSON', async (t) => {
  const refused = async (args: string[], exitCode: number, wanted: object): Promise<void> => {
    const { code, out, err } = await run(...args);
    t.same([code, err], [exitCode, ''], args.join(' '));
    const error: unknown = JSON.parse(out);
    t.ok(validError(error), JSON.stringify(validError.errors));
    t.match(error, wanted);
  };
  await refused(['lss', '--json'], 2, { code: 7, msg: 'unknown verb lss', details: naming('ls') });
  await refused(['ls', '--json', '--jsno'], 2, { code: 7, msg: naming('--jsno') });
  await refused(['--json'], 2, { code: 7 });
  await refused(['ls', '--json', '--data-dir', `${dir}/none`], 1, {
    code: 5,
    msg: naming(`${dir}/none`),
    details: naming('--data-dir'),
  });
  await refused(['exec', '--json', 'web'], 2, { code: 7, msg: String, details: naming('exec') });
  t.match(await run('exec', 'web', '--', '--json'), { out: '' }, "not when it is somebody else's word");
});

t.test('--data-dir that is no store', async (t) => {
  const foreign = t.testdir({ file: 'text', 'of-others': { passwd: '' }, fresh: { native: {} } });
  for (const verb of ['gc', 'ls', 'leases', 'networks', 'show', 'check']) {
    for (const name of ['file', 'of-others', 'none']) {
      const path = `${foreign}/${name}`;
      t.match(
        await run(verb, '--data-dir', path),
        { code: 1, out: '', err: naming(path) },
        `${verb} ${name}`,
      );
      const { out } = await run(verb, '--json', '--data-dir', path);
      t.match(JSON.parse(out), { code: 5, msg: naming(path) }, `${verb} ${name}`);
    }
  }
  t.match(await run('ls', '--data-dir', `${foreign}/fresh`), { code: 0 }, 'one that is still empty is one');
});

t.test('a fresh host', async (t) => {
  mkdirSync(dir);
  t.same(await json('ls'), []);
  t.same(await json('leases'), { leases: [], usage: [], dhcp: [] });
  t.same(await json('networks'), [BUILT_IN]);
  t.match(await run('ls', '--data-dir', dir), { code: 0, out: /^CONTAINER +NETWORK[^\n]*\n$/ });
  t.notOk(existsSync(`${dir}/leases.db`), 'nothing is created by looking');
  t.match(await run('ls', '--data-dir', `${dir}/none`), {
    code: 1,
    err: naming(`${dir}/none`, '--data-dir'),
  });
});

t.test('a store with attachments', async (t) => {
  const other = recordOf({
    containerId: '007',
    name: 'bond',
    addresses: [
      { address: '10.1.0.3/24', scope: 'network web' },
      { address: 'fd00::3/64', gateway: 'fd00::1' },
    ],
    ports: [{ protocol: 'udp', hostPort: 53, containerPort: 53, count: 1 }],
  });
  store.write((tx) => {
    tx.putAttachment(recordOf());
    tx.putAttachment(other);
    tx.putNetwork({
      version: RECORD_VERSION,
      name: 'web',
      plugin: 'netmoor',
      subnets: ['10.1.0.0/24'],
      automatic: false,
      createdAt: 1_000_000,
    });
  });

  const ls = await json('ls');
  t.ok(validLs(ls), JSON.stringify(validLs.errors));
  t.match(ls, [
    { containerId: 'c1', addresses: [{ address: '10.1.0.2/24', gateway: '10.1.0.1' }] },
    { containerId: '007', name: 'bond', createdAt: '1970-01-01T00:16:40.000Z' },
  ]);
  t.equal(
    (await run('ls', '--data-dir', dir)).out,
    `
CONTAINER  NETWORK  INTERFACE  ADDRESSES    PORTS           STATE     AGE
c1         web      eth0       10.1.0.2/24                  attached  0s
bond       web      eth0       10.1.0.3/24  *:53 -> 53/udp  attached  0s
                               fd00::3/64
`.slice(1),
  );

  const leases = await json('leases');
  t.ok(validLeases(leases), JSON.stringify(validLeases.errors));
  t.match(leases, { usage: [{ network: 'web', subnet: '10.1.0.0/24', taken: '2', total: '253' }] });
  t.equal(
    (await run('leases', '--data-dir', dir)).out,
    `
ADDRESS                       NETWORK  CONTAINER  SINCE (UTC)
10.1.0.2/24                   web      c1         1970-01-01 00:16:40
10.1.0.3/24                   web      bond       1970-01-01 00:16:40
fd00::3/64 (given by others)  web      bond       1970-01-01 00:16:40

NETWORK  SUBNET       TAKEN  OF
web      10.1.0.0/24  2      253
`.slice(1),
  );

  const networks = await json('networks');
  t.ok(validNetworks(networks), JSON.stringify(validNetworks.errors));
  t.match(networks, [BUILT_IN, { name: 'web', attachments: 2, automatic: false }]);
  t.equal(
    (await run('networks', '--data-dir', dir)).out,
    `
NETWORK  PLUGIN      SEGMENT  SUBNETS      CHOSEN BY  ATTACHMENTS  DEFINED IN
netmoor  bridge-nat  -        -            -          0            built in
web      netmoor     -        10.1.0.0/24  config     2            -
`.slice(1),
  );

  const check = await json('check');
  t.ok(validCheck(check), JSON.stringify(validCheck.errors));
  t.match(check, { ok: true, attachments: [{ containerId: 'c1', differences: [] }, {}], store: [] });

  await t.test('those that a word means', async (t) => {
    const ids = async (word: string): Promise<string[]> =>
      ((await json('ls', word)) as { containerId: string }[]).map(({ containerId }) => containerId);
    t.same(await ids('c1'), ['c1']);
    t.same(await ids('bond'), ['007'], 'by its name');
    t.same(await ids('007'), ['007'], 'by its id');
    t.same(await ids('web'), ['c1', '007'], 'those of a network');
    for (const verb of ['ls', 'check']) {
      t.match(await run(verb, 'bnod', '--data-dir', dir), { code: 1, out: '', err: naming('bnod', 'bond') });
      const { out } = await run(verb, 'bnod', '--json', '--data-dir', dir);
      t.match(JSON.parse(out), { code: 3, msg: naming('bnod'), details: naming('bond') });
    }
    t.match(await json('check', 'bond'), { ok: true, attachments: [{ containerId: '007' }] });
    t.equal(((await json('check', 'bond')) as { attachments: object[] }).attachments.length, 1);
  });

  await t.test('ids that are hashes: short for people, whole for programs', async (t) => {
    const containerId = 'abcdef01'.repeat(8);
    const record = recordOf({ containerId, name: containerId, addresses: [{ address: '10.1.0.4/24' }] });
    store.write((tx) => tx.putAttachment(record));
    t.match(await json('ls', 'abcdef01a'), [{ containerId }]);
    for (const verb of ['ls', 'leases', 'check', 'show'])
      t.notMatch((await run(verb, '--data-dir', dir)).out, /[0-9a-f]{13}/, verb);
    t.match((await run('ls', '--data-dir', dir)).out, /^abcdef01abcd {2}web /m);
    store.write((tx) => tx.removeAttachment(record));
  });

  await t.test('a network is forgotten when nothing is attached to it', async (t) => {
    store.write((tx) => {
      tx.putNetwork({
        version: RECORD_VERSION,
        name: 'old',
        plugin: 'bridge-nat',
        subnets: ['10.9.0.0/24'],
        automatic: true,
        createdAt: 0,
      });
    });
    const refused = async (name: string): Promise<unknown> =>
      JSON.parse((await run('networks', '--json', '--forget', name, '--data-dir', dir)).out);
    t.match(await refused('web'), { code: 7, msg: naming('web', 'c1') });
    t.match(await refused('olld'), { code: 3, msg: naming('olld'), details: naming('old') });
    const forgotten = await json('networks', '--forget', 'old');
    t.ok(validNetworks(forgotten), JSON.stringify(validNetworks.errors));
    t.match(forgotten, [{ name: 'old', subnets: ['10.9.0.0/24'], automatic: true }]);
    const names = ((await json('networks')) as { name: string }[]).map(({ name }) => name);
    t.same(names, ['netmoor', 'web']);
  });

  t.test('a damaged one', async (t) => {
    store.write((tx) => {
      tx.putAttachment(recordOf({ containerId: 'c9', addresses: [{ address: '10.1.0.9/24', scope: 's' }] }));
    });
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(`${dir}/leases.db`);
    database.exec("DELETE FROM address WHERE scope = 's'");
    database.close();
    const found = await run('check', '--data-dir', dir);
    t.equal(found.code, 1);
    t.match(found.out, naming('c9 eth0 on web', '10.1.0.9/24', 'lease store'));
  });
});
