/** netmoor install without a host: what is planned and judged, and completions from the verbs' own definitions. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { bashCompletion } from '../../cli/install/completion/bash.ts';
import { fishCompletion } from '../../cli/install/completion/fish.ts';
import { wordsOf } from '../../cli/install/completion/words.ts';
import { zshCompletion } from '../../cli/install/completion/zsh.ts';
import { carryOut } from '../../cli/install/carry-out.ts';
import { judge } from '../../cli/install/judge.ts';
import { layoutOf, readNames } from '../../cli/install/layout.ts';
import type { Layout } from '../../cli/install/layout.ts';
import { readManifest } from '../../cli/install/manifest.ts';
import type { Origin } from '../../cli/install/origin.ts';
import { planOf } from '../../cli/install/plan.ts';
import { foresee, remove } from '../../cli/install/remove.ts';
import { textsOf } from '../../cli/install/texts.ts';
import type { ListedVerb } from '../../cli/verb.ts';
import { loosened } from '../../lib/cni/loose-keys.ts';
import { fromHostLocal, hostLocalFiles } from '../../lib/mooring/as-host-local.ts';
import { refusalOf } from '../refusal.ts';

/** A verb whose texts have all that a shell takes for something else. */
const ODD: ListedVerb = {
  about: 'say what\'s [odd]: $HOME `id` \\ "x"',
  load: async () => ({
    about: '',
    operand: '[one|two]',
    options: [
      { name: 'dir', value: 'DIR', about: "a 'directory'" },
      { name: 'file', value: 'FILE', repeated: true, about: 'a file: any [kind]' },
      { name: 'dry-run', about: 'nothing' },
    ],
    run: () => ({ json: {}, text: () => '' }),
  }),
};

t.test('completions', async (t) => {
  const words = await wordsOf({
    odd: ODD,
    help: { about: 'help', load: async () => ({ ...(await ODD.load()), operand: '[VERB]' }) },
  });
  t.same(
    words.map(({ operands }) => operands),
    [
      ['one', 'two'],
      ['odd', 'help'],
    ],
  );
  const bash = bashCompletion(words);
  t.equal(spawnSync('bash', ['-n'], { input: bash }).status, 0, 'bash can read it');
  const reply = (...line: string[]): string[] => {
    const script = `${bash}\nCOMP_WORDS=(netmoor "$@"); COMP_CWORD=$#; _netmoor; echo "\${COMPREPLY[*]}"`;
    return spawnSync('bash', ['-c', script, 'bash', ...line], {
      encoding: 'utf8',
      cwd: t.testdir({ sub: {}, file: '' }),
    })
      .stdout.trim()
      .split(' ');
  };
  t.same(reply('o'), ['odd']);
  t.same(reply('odd', 't'), ['two']);
  t.same(
    reply('odd', '--d'),
    ['--dir', '--dry-run', '--data-dir'].filter((word) => word.startsWith('--d')),
  );
  t.same(reply('odd', '--dir', ''), ['sub']);
  t.same(reply('odd', '--file', '').toSorted(), ['file', 'sub']);
  const zsh = zshCompletion(words);
  t.match(zsh, "'odd:say what'\\''s \\[odd\\]\\:");
  t.match(zsh, "'*--file[a file\\: any \\[kind\\]]:FILE:_files'");
  t.equal(
    spawnSync('sh', ['-n'], {
      input: zsh
        .replaceAll(/\(\((.*)\)\)/g, ':')
        .replaceAll(/^ {2}(local -a verbs|verbs=\([\s\S]*?^ {2}\))$/gm, ''),
    }).status,
    0,
    'its quotes are closed',
  );
  t.match(fishCompletion(words), "-l dir -x -a '(__fish_complete_directories)' -d 'a \\'directory\\''");
});

t.test('what is asked for', async (t) => {
  t.same(readNames(['host-local,bridge', 'bridge']), ['bridge', 'host-local']);
  t.equal(
    refusalOf(() => readNames(['portmap'])),
    'bad-config',
  );
  for (const prefix of ['/usr/my local', '/a%b', '/'])
    t.equal(
      refusalOf(() => layoutOf(prefix, '/opt/cni/bin')),
      'bad-config',
      prefix,
    );
  for (const cniBin of ['/usr/bin', '/usr/lib/netmoor/'])
    t.equal(
      refusalOf(() => layoutOf('/usr', cniBin)),
      'bad-config',
      cniBin,
    );
  t.match(layoutOf('/usr/local/', '/opt/cni/bin'), {
    prefix: '/usr/local',
    units: '/usr/local/lib/systemd/system',
  });
  t.match(layoutOf('/opt/netmoor', '/opt/cni/bin'), { units: '/etc/systemd/system' });
});

interface Bed {
  readonly root: string;
  readonly layout: Layout;
  /** What is done with each path, or why not. */
  run(change?: {
    launcher?: string | undefined;
    force?: boolean;
    content?: string;
    layout?: Layout;
  }): Record<string, string>;
}

function bed(t: Test): Bed {
  const root = t.testdir({ from: { launcher: 'launcher' } });
  const usual = { ...layoutOf(`${root}/prefix`, `${root}/cni`), units: `${root}/units` };
  return {
    root,
    layout: usual,
    run({ launcher = `${root}/from/launcher`, force = false, content = 'one', layout = usual } = {}) {
      writeFileSync(`${root}/from/netmoor`, content);
      const origin: Origin = {
        version: '0.1.0',
        executable: `${root}/from/netmoor`,
        launcher: launcher === '' ? undefined : launcher,
        native: { name: `koffi-${content}.node`, content: Buffer.from(content) },
        texts: textsOf({ isSea: () => false, getAsset: () => '' }),
      };
      const before = readManifest(layout.manifest);
      const wishes = {
        layout,
        names: ['bridge'],
        engine: true,
        hooks: `${root}/hooks`,
        network: false,
        completions: [],
      };
      const judged = planOf(wishes, origin).map((wanted) => judge(wanted, before, force));
      const steps = judged.flatMap((each) => ('step' in each ? [each.step] : []));
      const conflicts = judged.flatMap((each) => ('conflict' in each ? [each.conflict] : []));
      const { prefix, cniBin } = layout;
      const manifest = {
        version: 1 as const,
        netmoor: '0.1.0',
        prefix,
        cniBin,
        names: ['bridge'],
        engine: true,
        enabled: [],
      };
      if (conflicts.length === 0) carryOut({ layout, steps, before, manifest });
      return Object.fromEntries([
        ...steps.map(({ wanted: { path }, action }) => [path.slice(root.length + 1), action]),
        ...conflicts.map(({ path, final = false }) => [
          path.slice(root.length + 1),
          final ? 'never' : 'conflict',
        ]),
      ]);
    },
  };
}

function manifestOf({ layout }: Bed): NonNullable<ReturnType<typeof readManifest>> {
  const manifest = readManifest(layout.manifest);
  if (manifest === undefined) throw new Error('nothing is installed');
  return manifest;
}

t.test('installing, upgrading, removing', async (t) => {
  const here = bed(t);
  const { root, layout, run } = here;
  t.same([...new Set(Object.values(run()))], ['write']);
  t.match(
    readFileSync(`${root}/units/netmoor-engine.service.d/stay.conf`, 'utf8'),
    `ExecStart=${root}/prefix/bin/netmoor engine`,
  );
  t.same([...new Set(Object.values(run()))], ['keep']);
  t.match(run({ content: 'two' }), {
    'prefix/lib/netmoor/netmoor': 'replace',
    'prefix/lib/netmoor/launcher': 'keep',
  });
  t.same(
    readdirSync(layout.own),
    ['installed.json', 'koffi-two.node', 'launcher', 'netmoor'],
    'the former module is gone',
  );
  const bare = run({ content: 'two', launcher: '' });
  t.equal(bare['cni/bridge-nat'], 'replace', 'without a launcher the names lead to the executable');
  t.notOk(existsSync(`${layout.own}/launcher`));
  writeFileSync(`${root}/units/netmoor-repair.service`, 'mine');
  t.equal(run({ content: 'two' })['units/netmoor-repair.service'], 'leave');
  const foreseen = foresee(manifestOf(here));
  const removed = remove(layout, manifestOf(here));
  t.same(
    removed.left.map(({ path }) => path),
    [`${root}/units/netmoor-repair.service`],
  );
  t.same(foreseen.left, removed.left);
  t.same(removed.removed.slice(0, foreseen.removed.length), foreseen.removed);
  t.same(readdirSync(root).toSorted(), ['from', 'units']);
});

t.test("somebody else's", async (t) => {
  const here = bed(t);
  const { root, layout, run } = here;
  mkdirSync(`${root}/cni`);
  symlinkSync('elsewhere', `${root}/cni/bridge`);
  symlinkSync('elsewhere', `${root}/cni/loopback`);
  t.match(run(), { 'cni/bridge': 'conflict', 'cni/loopback': 'leave', 'cni/bridge-nat': 'write' });
  t.notOk(existsSync(layout.own), 'all or nothing');
  t.match(run({ force: true }), { 'cni/bridge': 'aside', 'cni/loopback': 'aside' });
  t.same(
    readdirSync(`${root}/cni`).filter((name) => name.endsWith('.before-netmoor')),
    ['bridge.before-netmoor', 'loopback.before-netmoor'],
  );
  t.same([...new Set(Object.values(run()))], ['keep']);
  const { restored } = remove(layout, manifestOf(here));
  t.same(restored.toSorted(), [`${root}/cni/bridge`, `${root}/cni/loopback`]);
  t.same(readdirSync(`${root}/cni`), ['bridge', 'loopback']);
  mkdirSync(`${root}/cni/bridge-nat`);
  t.equal(run({ force: true })['cni/bridge-nat'], 'never', 'a directory');
});

t.test('broken off while it put something aside', async (t) => {
  for (const linked of [false, true]) {
    const here = bed(t);
    const { root, layout, run } = here;
    mkdirSync(`${root}/cni`);
    writeFileSync(`${root}/cni/bridge`, 'mine');
    run({ force: true });
    renameSync(`${root}/cni/bridge.before-netmoor`, `${root}/cni/bridge`);
    if (linked) linkSync(`${root}/cni/bridge`, `${root}/cni/bridge.before-netmoor`);
    remove(layout, { ...manifestOf(here), unfinished: true });
    t.same(readdirSync(`${root}/cni`), ['bridge'], linked ? 'kept already' : 'not yet');
    t.equal(readFileSync(`${root}/cni/bridge`, 'utf8'), 'mine');
  }
});

t.test('the same place by another path', async (t) => {
  const { root, run } = bed(t);
  run();
  symlinkSync('prefix', `${root}/alias`);
  symlinkSync('cni', `${root}/plugins`);
  const layout = { ...layoutOf(`${root}/alias`, `${root}/plugins`), units: `${root}/units` };
  t.match(run({ layout }), { 'alias/lib/netmoor/netmoor': 'keep', 'plugins/bridge-nat': 'replace' });
  t.same(readdirSync(`${root}/prefix/lib/netmoor`), [
    'installed.json',
    'koffi-one.node',
    'launcher',
    'netmoor',
  ]);
  t.equal(readFileSync(`${root}/cni/bridge-nat`, 'utf8'), 'launcher', 'the names lead there');
  t.match(run({ content: 'two', layout }), { 'alias/lib/netmoor/netmoor': 'replace' });
  const manifest = readManifest(layout.manifest);
  if (manifest === undefined) throw new Error('nothing is installed');
  t.same(remove(layout, manifest).left, []);
  t.same(readdirSync(root).toSorted(), ['alias', 'from', 'plugins']);
});

t.test('broken off while directories were removed', async (t) => {
  const here = bed(t);
  const { root, layout, run } = here;
  run();
  const manifest = manifestOf(here);
  const impossible = `${root}/${'x'.repeat(300)}`;
  t.throws(() => remove(layout, { ...manifest, directories: [...manifest.directories, impossible] }), {
    code: 'ENAMETOOLONG',
  });
  t.same(remove(layout, manifestOf(here)).left, [], 'it is on record still');
  t.same(readdirSync(root), ['from']);
});

t.test('what runs without a record', async (t) => {
  const path = join(t.testdir({ netmoor: 'from a package' }), 'netmoor');
  const wanted = { path, purpose: 'program', content: { kind: 'copy', from: path } } as const;
  t.match(judge(wanted, undefined, false), { conflict: { path } });
  t.match(judge(wanted, undefined, true), { step: { action: 'keep' } });
  const same = {
    ...wanted,
    content: { kind: 'bytes', bytes: Buffer.from('from a package'), mode: 0o755 },
  } as const;
  t.match(judge(same, undefined, false), { conflict: { path } }, 'the same one');
});

t.test('a record that makes no sense', async (t) => {
  const dir = t.testdir({ 'installed.json': '{"version":7}' });
  t.equal(
    refusalOf(() => readManifest(join(dir, 'installed.json'))),
    'io',
  );
  t.equal(readManifest(join(dir, 'none.json')), undefined);
});

t.test("keys as the reference's plugins take them", async (t) => {
  const { members, passedOver } = loosened({ IsGateway: true, isGateway: false, MTU: 1, other: 2 }, [
    'isGateway',
    'mtu',
  ]);
  t.same([members, passedOver], [{ isGateway: false, mtu: 1 }, ['other']]);
  const ipam = {
    type: 'host-local',
    Ranges: [[{ Subnet: '10.1.0.0/24' }]],
    dataDir: '/var/lib/cni/networks/',
  };
  t.same(fromHostLocal(ipam).ipam, { type: 'netmoor', ranges: [[{ subnet: '10.1.0.0/24' }]] });
  t.equal(fromHostLocal({ ...ipam, dataDir: '/run/x' }, '/var/y').ipam['dataDir'], '/run/x');
  t.equal(fromHostLocal(ipam, '/var/y').ipam['dataDir'], '/var/y');
  t.equal(hostLocalFiles(ipam, 'net'), '/var/lib/cni/networks/net');
  t.equal(hostLocalFiles({ DataDir: '/run/x' }, 'net'), '/run/x/net');
});
