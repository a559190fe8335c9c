/**
 * Runs netmoor on the Node.js of the host: stands where the single executable has Node.js, and gives the program its files
 * as that would give them (node:sea). Written for any Node.js, so that an old one can say what it lacks.
 *
 *   node on-node.cjs NAME [ARGUMENT]...      NAME: that of the program
 */
'use strict';

const { readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

/** node:sqlite as it is used, and the language of the bundle. */
const NEEDED = 26;

function refuse() {
  const msg = `netmoor needs Node.js ${NEEDED} or later; this is ${process.versions.node}`;
  const details = 'install a newer one, or the netmoor that has Node.js inside';
  if (process.env.CNI_COMMAND) console.log(JSON.stringify({ cniVersion: '1.1.0', code: 50, msg, details }));
  else console.error(`netmoor: ${msg}\n  ${details}`);
  process.exit(1);
}

/** What a thread of the engine begins with: this file again. */
const THREAD = `require(${JSON.stringify(__filename)}).run('worker-main.js');`;

const sea = {
  isSea: () => true,
  getAsset: (name) => (name === 'worker-main.js' ? THREAD : readFileSync(join(__dirname, name), 'utf8')),
  getRawAsset: (name) => new Uint8Array(readFileSync(join(__dirname, name))).buffer,
};

/** Evaluates a file of ours, with `sea` in the place of node:sea; for it the process was started as `argv0`. */
exports.run = (file, argv0 = process.argv0) => {
  const builtin = process.getBuiltinModule;
  process.getBuiltinModule = (name) => (name === 'node:sea' ? sea : builtin(name));
  process.execPath = join(dirname(__dirname), 'netmoor');
  const load = (name) => (name === 'node:sea' ? sea : require(name));
  const code = readFileSync(join(__dirname, file), 'utf8');
  const seen = Object.create(process, { argv0: { value: argv0 } });
  new Function('exports', 'require', 'module', 'process', code)({}, load, {}, seen);
};

if (require.main === module) {
  if (Number.parseInt(process.versions.node, 10) < NEEDED) refuse();
  const [, , name = 'netmoor', ...args] = process.argv;
  process.argv = [name, name, ...args];
  exports.run('start.cjs', name);
}
