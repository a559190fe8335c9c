/** What `npm run package` puts together: the same each time, with manual pages in order and every licence. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { UNNAMED_IN_NODE, licenceIn, packageOf } from '../../cli/build/licences.ts';
import type { Licence } from '../../cli/build/licences.ts';
import { removeLocales } from '../../cli/build/without-locales.ts';
import { INPUTS, LICENCES, NODE, ROOT, TARGETS, WORK, targetOf } from '../../cli/build/paths.ts';
import { copyrightFile } from '../../cli/package/copyright.ts';
import { makeDeb } from '../../cli/package/deb.ts';
import { layOut } from '../../cli/package/entry.ts';
import { escaped, prose } from '../../cli/package/man/mdoc.ts';
import { manPages } from '../../cli/package/man/pages.ts';
import { releaseOf } from '../../cli/package/release.ts';
import { makeTarball } from '../../cli/package/tarball.ts';
import { VERBS } from '../../cli/netmoor.ts';
import { lacking } from '../kernel/harness.ts';
import { naming } from '../naming.ts';

const RELEASE = { version: '0.1.0', epoch: 1_767_225_600, target: TARGETS.x64 };

function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
    maxBuffer: 256e6,
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${stdout}${stderr}`);
  return stdout;
}

t.test(
  'made twice, in two places, it is the same',
  { skip: lacking('dpkg-deb', 'tar') ?? false },
  async (t) => {
    const folders = ['one', 'another/and/longer'].map((name) => join(t.testdir({}), name));
    const digests: string[] = [];
    for (const out of folders) {
      const umask = process.umask(digests.length === 0 ? 0o022 : 0o077);
      const files = [await makeTarball(RELEASE, out, '.tar'), await makeDeb(RELEASE, out, ['-Znone'])];
      process.umask(umask);
      digests.push(files.map((file) => run('sha256sum', file).split(' ')[0]).join(' '));
      const listing = run('tar', '-tvf', files[0] ?? '');
      t.notMatch(listing, process.env['USER'] ?? 'nobody@');
      t.match(listing, / root\/root| 0\/0/);
      t.match(listing, `netmoor-0.1.0-linux-x64/netmoor\n`);
      for (const text of [listing, run('dpkg-deb', '-c', files[1] ?? '')])
        t.match(text, /completions\/netmoor\n.*\/netmoor\.fish\n.*\/_netmoor\n/s, 'completion');
    }
    t.equal(digests[0], digests[1]);
  },
);

t.test('the executable names no place where it was built', async (t) => {
  t.notOk(readFileSync(join(TARGETS.x64.bin, 'netmoor')).includes(process.cwd()));
});

/** The newest version of a library that symbols are wanted of, as a number: 2.28 is 2_028_000. */
function newest(references: string, name: string): number {
  const versions = [...references.matchAll(new RegExp(` ${name}_(\\d+)\\.(\\d+)(?:\\.(\\d+))?$`, 'gm'))];
  const numbers = versions.map(([, a, b, c = '0']) => Number(a) * 1e6 + Number(b) * 1000 + Number(c));
  return Math.max(...numbers);
}

t.test(
  'it asks for no newer libraries than the package says',
  { skip: lacking('objdump') ?? false },
  async (t) => {
    const { koffi, node } = TARGETS.x64;
    const references = [node, koffi].map((file) => run('objdump', '-p', file)).join('\n');
    t.ok(newest(references, 'GLIBC') <= 2_028_000, `${newest(references, 'GLIBC')}`);
    // GCC 6 brought 3.4.22.
    t.ok(newest(references, 'GLIBCXX') <= 3_004_022, `${newest(references, 'GLIBCXX')}`);
    t.ok(newest(references, 'GLIBC') > 2_002_005);
  },
);

t.test('manual pages', async (t) => {
  const pages = await manPages(RELEASE);
  t.strictSame(
    pages.map(({ file }) => file),
    ['netmoor.1', 'bridge-nat.8', 'macvlan-v6.8', 'dhcp-ipam.8', 'netmoor-hook.8'],
  );
  const page = pages[0]?.text ?? '';
  for (const verb of Object.keys(VERBS)) t.match(page, `.Ss "${verb}"\n`);
  await t.test('are in order', { skip: lacking('mandoc') ?? false }, async (t) => {
    const dir = t.testdir({});
    for (const { file, text } of pages) {
      const path = join(dir, file);
      writeFileSync(path, text);
      t.equal(run('mandoc', '-T', 'lint', '-W', 'warning', path), '', file);
    }
  });
  await t.test('say how a verb is called', { skip: lacking('mandoc') ?? false }, async (t) => {
    const file = join(t.testdir({}), 'netmoor.1');
    writeFileSync(file, page);
    // What is bold or underlined is struck over.
    const struck = run('mandoc', '-T', 'utf8', '-O', 'width=200', file).split('\b');
    const text = struck.map((part, index) => (index < struck.length - 1 ? part.slice(0, -1) : part)).join('');
    t.match(text, '  netmoor attach [NETWORK…] [OPTIONS]\n');
    t.match(text, '  netmoor exec CONTAINER -- COMMAND…\n');
  });
  t.equal(escaped(".so is no request, nor 'this; a\\b"), "\\&.so is no request, nor 'this; a\\eb");
  t.equal(prose('One of them. Another - “…”.'), 'One of them.\nAnother \\- \\[u201C]\\[u2026]\\[u201D].\n');
});

t.test('the licence of everything inside', async (t) => {
  const text = copyrightFile();
  t.notMatch(text, 'musl');
  t.match(copyrightFile('x64'), /\nFiles: inside\/musl\/\*\n.*Rich Felker/s);
  t.match(
    copyrightFile('arm64'),
    /\nFiles: inside\/glibc\/\*\n.*GNU LESSER GENERAL PUBLIC LICENSE\n.*Version 2\.1/s,
  );
  const inside = (JSON.parse(readFileSync(INPUTS, 'utf8')) as string[]).flatMap(
    (file) => packageOf(file) ?? [],
  );
  t.ok(inside.length > 3);
  for (const name of new Set([...inside, 'koffi', 'node', 'ajv']))
    t.match(text, `\nFiles: inside/${name}/*\n`);
  const licences = JSON.parse(readFileSync(LICENCES, 'utf8')) as Licence[];
  t.ok(licences.every((licence) => licence.text.length > 500));
  for (const part of ['OpenSSL', 'ICU', 'libuv', 'V8', 'zlib']) t.match(text, ` - ${part}, located at`);
  const symbols = run('nm', '--defined-only', '--format=just-symbols', NODE);
  for (const { licence, like, names } of UNNAMED_IN_NODE) {
    const words = { 'Apache-2.0': 'Apache License\n', 'Unicode-3.0': 'UNICODE LICENSE V3\n' }[licence];
    t.ok(words !== undefined && text.slice(text.indexOf(` - ${like}, located at`)).includes(words), licence);
    for (const name of names.split(' ')) {
      t.ok(new RegExp(`${name.length}${name}|^${name}_`, 'm').test(symbols), `${name} is in Node.js`);
      t.notMatch(text, ` - ${name}, located at`, 'which does not say so');
    }
  }
  const crates = [...symbols.matchAll(/^_ZN(\d+)([a-z]\w*?)17h[0-9a-f]{16}E$/gm)].map(
    ([, length, path = '']) => path.slice(0, Number(length)),
  );
  t.ok(crates.includes('temporal_rs'));
  for (const crate of new Set(crates))
    t.match(text, new RegExp(`\\b${crate}\\b`), `the crate ${crate} is named`);
  const holder = (name: string): string =>
    new RegExp(`^Files: inside/${name}/.*\nCopyright: (.*)$`, 'm').exec(text)?.[1] ?? '';
  t.equal(holder('jsbn'), '(c) 2003-2005  Tom Wu');
  t.equal(holder('minimist'), 'its authors: see the licence', 'not those who are not liable');
  // Paragraphs are fields: a line is empty, begins one, or continues it.
  for (const line of text.split('\n')) if (!/^($| |[A-Z][A-Za-z-]+: )/.test(line)) t.fail(line);
  t.test('a package without a text is refused', async (t) => {
    const dir = t.testdir({ 'package.json': JSON.stringify({ version: '1.0.0', license: 'ISC' }) });
    t.throws(() => licenceIn(dir, 'newcomer'), { message: naming('newcomer', 'ISC', dir) });
    writeFileSync(join(dir, 'LICENCE.md'), 'Permission');
    t.match(licenceIn(dir, 'newcomer'), { licence: 'ISC', text: 'Permission' });
  });
  t.equal(packageOf('node_modules/netlink/node_modules/@a/b/c.js'), '@a/b');
  t.equal(packageOf('lib/base/ip.ts'), undefined);
});

t.test('what is packed, and when', async (t) => {
  t.equal(releaseOf(TARGETS.x64, { SOURCE_DATE_EPOCH: '1234567890' }).epoch, 1_234_567_890);
  t.throws(() => releaseOf(TARGETS.x64, { SOURCE_DATE_EPOCH: 'today' }));
  t.ok(releaseOf(TARGETS.x64, {}).epoch > 1_767_000_000);
  t.equal(targetOf([]).arch, 'x64');
  t.equal(targetOf(['--arch', 'arm64']).arch, 'arm64');
  for (const args of [['--arch'], ['--arch', 'mips'], ['arm64'], ['--arch', 'x64', 'more']])
    t.throws(() => targetOf(args), args.join(' '));
});

t.test('files laid out keep nothing of the moment', async (t) => {
  const dir = t.testdir({});
  mkdirSync(join(dir, 'in'));
  layOut(
    [
      { path: 'a/b', content: 'x', mode: 0o755 },
      { path: 'a/c', link: 'b' },
    ],
    join(dir, 'in'),
    1000,
  );
  t.equal(
    run('find', join(dir, 'in'), '-printf', '%P %m %T@ %l\n'),
    ' 755 1000.0000000000 \na 755 1000.0000000000 \na/b 755 1000.0000000000 \na/c 777 1000.0000000000 b\n',
  );
});

t.test('the bundle refuses an older Node.js, in words', async (t) => {
  const dir = t.testdir({
    'old.cjs': "Object.defineProperty(process.versions, 'node', { value: '18.19.0' });",
  });
  const start = (env: Record<string, string>) => {
    const args = ['-r', join(dir, 'old.cjs'), join(ROOT, 'cli/package/on-node.cjs'), 'bridge-nat'];
    return spawnSync(NODE, args, { encoding: 'utf8', env });
  };
  t.match(start({}), { status: 1, stdout: '', stderr: naming('Node.js', '18.19.0') });
  const asPlugin = start({ CNI_COMMAND: 'ADD' });
  t.match(asPlugin, { status: 1, stderr: '' });
  t.match(JSON.parse(asPlugin.stdout), { code: 50, msg: naming('18.19.0') });
});

/** What of ICU anybody could meet: a time zone, a locale that is gone, Unicode itself. */
const LOCALES = `[
  new Intl.DateTimeFormat('de', { timeZone: 'Europe/Vienna', timeStyle: 'short' }).format(0),
  new Date(0).toLocaleString(),
  new Intl.NumberFormat('de').format(1234.5),
  ['b', 'a'].sort(new Intl.Collator('sv').compare).join(),
  '\\ufb01'.normalize('NFKC'),
  /^\\p{Lu}$/u.test('\\u00c4'),
  new URL('http://b\\u00fccher.example').host,
].join(' ')`;

t.test('without the texts of other languages Node.js works as it does for English', async (t) => {
  const slim = join(WORK, 'node');
  const ask = (locale: string): string =>
    spawnSync(slim, ['-p', LOCALES], { encoding: 'utf8', env: { LC_ALL: locale, TZ: 'UTC' } }).stdout;
  t.match(ask('C'), /^1:00\D*AM .*1970.* 1,234\.5 a,b fi true xn--bcher-kva\.example\n$/);
  for (const locale of ['de_DE.UTF-8', 'ja_JP.eucJP', 'nowhere']) t.match(ask(locale), / fi true xn--bcher/);
  const file = readFileSync(NODE);
  t.ok(removeLocales(file, process.versions['icu'] ?? '') > 20e6);
  t.equal(removeLocales(file, process.versions['icu'] ?? ''), 0, 'once is enough');
  t.throws(() => removeLocales(file, '1.0'), { message: naming('icudt1_dat') });
});
