/** The one file that is installed: whatever name and way it is started by, and whatever surrounds it. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { restampCaches } from '../../cli/build/cache-marks.ts';
import { Executable } from '../../cli/build/elf.ts';
import { strip } from '../../cli/build/executable.ts';
import { NODE_FLAGS } from '../../cli/build/flags.ts';
import { proveSameCaches } from '../../cli/build/same-caches.ts';
import { FUNCTION, ignoreConfigFile } from '../../cli/build/without-config-file.ts';
import { removeLibatomic } from '../../cli/build/without-libatomic.ts';
import { BIN, NODE } from '../../cli/build/paths.ts';
import { PROGRAMS } from '../../cli/programs.ts';
import { versionAnswer } from '../../lib/cni/versions.ts';
import { naming } from '../naming.ts';
import { inEveryForm, nodeOptions, v8Options } from '../node-options.ts';

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

/** What netmoor itself knows in front of its verb. */
const OURS = ['--help', '-h', '--version'];

t.test('no argument is an option of Node.js', async (t) => {
  const netmoor = join(BIN, 'netmoor');
  const words = [...nodeOptions(), ...v8Options()];
  const known = ['--env-file', '--eval', '--version', '--inspect', '-r', '--experimental-config-file'];
  t.strictSame(
    known.filter((word) => !words.includes(word)),
    [],
  );
  const ours = start(netmoor, { args: ['version'] });
  t.match(ours.out, /^netmoor \d/);
  const foreign = words.filter((word) => !OURS.includes(word));
  // The first one is refused by us; Node.js would look at all of them.
  const inside = start(netmoor, { args: ['version', '--unknown'] });
  t.match(inside, { out: '', status: 2 });
  for (const form of inEveryForm(words))
    t.strictSame(start(netmoor, { args: ['version', '--unknown', ...form] }), inside);
  const front = start(netmoor, { args: ['--unknown'] });
  t.match(front, { out: '', status: 2 });
  // A value of its own could be a verb.
  for (const form of inEveryForm(foreign).slice(0, 2))
    t.strictSame(start(netmoor, { args: ['--unknown', ...form] }), front);
  t.strictSame(
    start(netmoor, { argv0: '--version', args: ['version'] }),
    ours,
    'nor is the name it is started under',
  );
});

t.test('each option of Node.js is refused in front of a verb', async (t) => {
  const netmoor = join(BIN, 'netmoor');
  const words = nodeOptions().filter((word) => !OURS.includes(word));
  const alone = start(netmoor, { args: ['--unknown'] });
  t.strictSame(
    words.filter((word) => !isDeepStrictEqual(start(netmoor, { args: [word] }), alone)),
    [],
  );
});

t.test('no argument of the hook is an option of Node.js', async (t) => {
  const hook = join(BIN, 'netmoor-hook');
  const refusal = start(hook, { args: ['--unknown'] });
  t.match(refusal, { out: '', status: 1 });
  const words = [...nodeOptions(), ...v8Options()].filter((word) => word !== '--help');
  for (const form of inEveryForm(words)) t.strictSame(start(hook, { args: ['--unknown', ...form] }), refusal);
  const dir = t.testdir({});
  const { err } = start(hook, { args: ['--env-file', join(dir, 'absent')] });
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

t.test('a configuration file of Node.js is not looked for', async (t) => {
  const dir = t.testdir({ broken: 'garbage [[[' });
  const arg = `--experimental-config-file=${join(dir, 'broken')}`;
  t.match(
    start(NODE, { args: ['-p', '1', arg] }),
    { out: '', status: 9 },
    'but by a Node.js that was left as it is',
  );
  t.strictSame(start(join(BIN, 'bridge-nat'), { ...ASK_VERSION, args: [arg] }), ANSWER);
  const file = readFileSync(NODE);
  ignoreConfigFile(file);
  const once = Buffer.from(file);
  ignoreConfigFile(file);
  t.ok(file.equals(once), 'an executable that was changed stays as it is');
  const begin = new Executable(file).symbol(FUNCTION);
  file.fill(0, begin, begin + 64);
  t.throws(() => ignoreConfigFile(file), 'nor does one whose function begins in another way pass');
  t.throws(() => ignoreConfigFile(readFileSync('/bin/true')), { message: naming(FUNCTION) });
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
