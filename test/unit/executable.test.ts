/** The one file that is installed: whatever name and way it is started by, and whatever surrounds it. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { restampCaches } from '../../cli/build/cache-marks.ts';
import { strip } from '../../cli/build/executable.ts';
import { FOREIGN_OPTIONS, NODE_FLAGS } from '../../cli/build/flags.ts';
import { proveSameCaches } from '../../cli/build/same-caches.ts';
import { removeLibatomic } from '../../cli/build/without-libatomic.ts';
import { BIN, NODE } from '../../cli/build/paths.ts';
import { PROGRAMS } from '../../cli/programs.ts';
import { versionAnswer } from '../../lib/cni/versions.ts';
import { naming } from '../naming.ts';

interface Run {
  readonly args?: readonly string[];
  readonly argv0?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function start(
  file: string,
  { args = [], argv0 = file, env = {} }: Run,
): { out: string; err: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(file, args, { argv0, env: { ...env }, encoding: 'utf8' });
  return { out: stdout, err: stderr, status };
}

const ASK_VERSION = { env: { CNI_COMMAND: 'VERSION' } };
const ANSWER = { out: versionAnswer(), err: '', status: 0 };

t.test('every program is there, in one file', async (t) => {
  const files = [...PROGRAMS.keys()].map((name) => statSync(join(BIN, name)));
  t.equal(new Set(files.map(({ ino }) => ino)).size, 1);
  t.ok(files.every(({ mode }) => (mode & 0o100) !== 0));
});

t.test('the name it is started under says what it is', async (t) => {
  const dir = t.testdir({});
  const bridgeNat = join(BIN, 'bridge-nat');
  symlinkSync(bridgeNat, join(dir, 'bridge-nat'));
  t.strictSame(start(join(dir, 'bridge-nat'), ASK_VERSION), ANSWER, 'a symbolic link');
  t.strictSame(start(bridgeNat, { ...ASK_VERSION, argv0: 'bridge-nat' }), ANSWER, 'found in PATH');
  t.strictSame(start(bridgeNat, { ...ASK_VERSION, argv0: '-' }), ANSWER, 'under a strange argv[0]');
  t.match(start(bridgeNat, { argv0: 'netmoor', args: ['version'] }).out, /^netmoor \d/);
  symlinkSync(bridgeNat, join(dir, 'by-link'));
  t.strictSame(start(join(dir, 'by-link'), ASK_VERSION), ANSWER, 'a link of another name');
  linkSync(bridgeNat, join(dir, 'anything'));
  const stranger = start(join(dir, 'anything'), { args: ['version'] });
  t.match(stranger, { out: '', status: 2, err: naming('"anything"', ...PROGRAMS.keys()) });
  const renamed = start(join(dir, 'anything'), { env: { CNI_COMMAND: 'ADD' } });
  t.match(renamed, { err: '', status: 1 }, 'it does not become the IPAM plugin');
  t.match(JSON.parse(renamed.out), {
    code: 4,
    msg: naming('"anything"'),
    details: naming(...PROGRAMS.keys()),
  });
  t.match(
    start(join(dir, 'anything'), { argv0: 'netmoor', args: ['version'] }).out,
    /^netmoor \d/,
    'but for a caller who says what it is to be',
  );
});

t.test('a copy, alone in a directory', async (t) => {
  const dir = t.testdir({});
  copyFileSync(join(BIN, 'netmoor'), join(dir, 'bridge-nat'));
  t.strictSame(start(join(dir, 'bridge-nat'), ASK_VERSION), ANSWER);
});

t.test('what the caller wants of Node.js is not obeyed', async (t) => {
  const env = { CNI_COMMAND: 'VERSION', NODE_OPTIONS: '--require /nonexistent.cjs' };
  t.strictSame(start(join(BIN, 'bridge-nat'), { env }), ANSWER);
});

/** Every option word in a text of help. */
function optionsIn(text: string): string[] {
  return [...new Set(text.match(/(?<![\w-])--?[a-z][a-z0-9-]*/g))];
}

t.test('no argument is an option of Node.js', async (t) => {
  const netmoor = join(BIN, 'netmoor');
  const help = start(NODE, { args: ['--help'] }).out + start(NODE, { args: ['--v8-options'] }).out;
  const all = [...optionsIn(help), ...process.allowedNodeEnvironmentFlags];
  const words = all.filter((word) => !FOREIGN_OPTIONS.some((option) => word.startsWith(option)));
  t.ok(['--env-file', '--eval', '--version', '--inspect', '-r'].every((word) => words.includes(word)));
  const ours = start(netmoor, { args: ['version'] });
  t.match(ours.out, /^netmoor \d/);
  const unknown = start(netmoor, { args: ['version', '--unknown'] });
  // The first one is refused by us; Node.js would look at all of them.
  const forms = [words, words.map((word) => `${word}=/absent`), words.flatMap((word) => [word, '/absent'])];
  for (const form of forms)
    t.strictSame(start(netmoor, { args: ['version', '--unknown', ...form] }), unknown);
  t.strictSame(
    start(netmoor, { argv0: '--version', args: ['version'] }),
    ours,
    'nor is the name it is started under',
  );
});

t.test('no option of ours is one that Node.js looks for', async (t) => {
  const verbs = (start(join(BIN, 'netmoor'), { args: ['help'] }).out.match(/^ {2}[a-z]+(?= )/gm) ?? []).map(
    (verb) => verb.trim(),
  );
  t.ok(verbs.length > 5);
  const helps = verbs.map((verb) => start(join(BIN, 'netmoor'), { args: [verb, '--help'] }).out);
  const words = optionsIn([...helps, start(join(BIN, 'netmoor-hook'), { args: ['--help'] }).err].join('\n'));
  t.ok(words.includes('--env-file') && words.includes('--json'));
  t.strictSame(
    words.filter((word) => FOREIGN_OPTIONS.some((option) => word.startsWith(option))),
    [],
  );
  const dir = t.testdir({});
  const { err } = start(join(BIN, 'netmoor-hook'), { args: ['--env-file', join(dir, 'absent')] });
  t.match(err, naming('netmoor-hook', 'stdin'), 'the hook itself is what reads --env-file');
});

t.test('a configuration of OpenSSL is not obeyed', async (t) => {
  const dir = t.testdir({
    broken: 'garbage [[[',
    loading: 'nodejs_conf = n\n[n]\nproviders = p\n[p]\nx = m\n[m]\nmodule = /nonexistent.so\nactivate = 1\n',
  });
  for (const name of ['broken', 'loading', 'absent']) {
    const env = { CNI_COMMAND: 'VERSION', OPENSSL_CONF: join(dir, name) };
    t.strictSame(start(join(BIN, 'bridge-nat'), { env }), ANSWER, name);
  }
});

t.test('libatomic, which hosts without compilers lack, is not needed', async (t) => {
  const { out } = start(join(BIN, 'netmoor'), { env: { LD_TRACE_LOADED_OBJECTS: '1' } });
  t.match(out, /libstdc\+\+\.so\.6 /);
  t.notMatch(out, /libatomic/);
  t.strictSame(
    start(join(BIN, 'bridge-nat'), { env: { CNI_COMMAND: 'VERSION', LD_BIND_NOW: '1' } }),
    ANSWER,
    'with every symbol looked up at once',
  );
  const file = readFileSync(NODE);
  removeLibatomic(file);
  const once = Buffer.from(file);
  removeLibatomic(file);
  t.ok(file.equals(once), 'an executable without it stays as it is');
  t.throws(() => removeLibatomic(Buffer.from('#!/bin/sh\n')), { message: naming('ELF') });
});

t.test('code caches are the same under our options', async (t) => {
  const work = t.testdir({});
  proveSameCaches(NODE, [], NODE_FLAGS, work);
  t.throws(
    () => proveSameCaches(NODE, [], ['--no-ignition-reo'], work),
    { message: naming('--no-ignition-reo') },
    'not under any',
  );
});

t.test('without strip there is no executable', async (t) => {
  const { PATH } = process.env;
  t.teardown(() => Object.assign(process.env, { PATH }));
  process.env['PATH'] = '/nonexistent';
  t.throws(() => strip(NODE, join(t.testdir({}), 'node')), { message: naming('binutils') });
});

t.test("the code caches of Node.js's own modules count under our options", async (t) => {
  const node = readFileSync(NODE);
  const all = restampCaches(node, NODE, [], NODE_FLAGS);
  t.ok(all > 100, `Node.js has ${all} of them`);
  t.equal(restampCaches(node, NODE, [], NODE_FLAGS), 0, 'and none is left behind');
  t.equal(
    restampCaches(readFileSync(join(BIN, 'netmoor')), NODE, [], NODE_FLAGS),
    0,
    'nor in the executable',
  );
  const usage = `const { internalBinding } = require('internal/test/binding');
    process.getBuiltinModule('node:sqlite');
    process.stdout.write([...internalBinding('builtins').getCacheUsage().compiledWithoutCache].join(' '));`;
  const refused = (file: string): string =>
    start(file, { args: ['--no-warnings', '--expose-internals', ...NODE_FLAGS, '-e', usage] }).out;
  const ours = join(t.testdir({}), 'node');
  writeFileSync(ours, node, { mode: 0o755 });
  t.match(refused(NODE), /\bsqlite\b/, 'V8 refuses those of a Node.js that was left as it is');
  t.equal(refused(ours), '', 'and takes all of ours');
});
