/**
 * Whatever comes in, the dispatcher answers: it never throws, prints one JSON document or nothing, and its exit code is
 * non-zero exactly when that document is an error. Seeded; set FUZZ_SEED and FUZZ_ROUNDS to look further.
 */
import t from 'tap';
import { readdirSync, readFileSync } from 'node:fs';
import { dispatch } from '../../lib/cni/dispatch.ts';
import { SUPPORTED_VERSIONS } from '../../lib/cni/versions.ts';
import type { Context, Plugin } from '../../lib/cni/plugin.ts';
import type { MooringConfig } from '../../lib/mooring/kind.ts';
import { delegateAdd } from '../../lib/cni/delegate.ts';
import { readBridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import { readMacvlanConfig } from '../../plugins/macvlan-v6/config.ts';
import { RESULT, environmentOf, fakePlugin, fakeWorld } from '../unit/cni-fakes.ts';
import { mutateText, mutateValue, pick, randomOf } from './cni-mutate.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20260801);
const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 4000);

const EXAMPLES = new URL('../../schemas/examples/', import.meta.url);

const PREVIOUS = [
  { cniVersion: '1.1.0', ...RESULT },
  { cniVersion: '0.2.0', ip4: { ip: '10.1.0.2/16', routes: [{ dst: '0.0.0.0/0' }] }, dns: {} },
  {
    cniVersion: '0.4.0',
    interfaces: [{ name: 'eth0' }],
    ips: [{ version: '4', address: '10.1.0.2/16', interface: 0 }],
  },
];

/** What a runtime would send for the examples, with everything a runtime can add. */
function seeds(): object[] {
  const files = readdirSync(EXAMPLES).filter((file) => file.endsWith('.conflist'));
  return files.flatMap((file, index) => {
    const { plugins, ...list } = JSON.parse(readFileSync(new URL(file, EXAMPLES), 'utf8')) as {
      plugins: object[];
      name: string;
    };
    const { name } = list;
    return plugins.map((plugin) => ({
      ...plugin,
      name,
      cniVersion: SUPPORTED_VERSIONS[index % SUPPORTED_VERSIONS.length],
      prevResult: PREVIOUS[index % PREVIOUS.length],
      args: { cni: { ips: ['10.88.0.9'], mac: '02:00:00:00:00:09' } },
      runtimeConfig: {
        portMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'tcp', HostIP: '' }],
        ips: ['10.88.0.7/16'],
        ipRanges: [[{ subnet: '10.9.0.0/24' }]],
        aliases: { [name]: ['a'] },
        dns: { Servers: ['1.1.1.1'], Searches: null },
      },
      'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }],
    }));
  });
}

function readAs({ config, request }: Context): MooringConfig {
  const { type } = config.raw;
  return (type === 'macvlan-v6' ? readMacvlanConfig : readBridgeNatConfig)(config, request);
}

/** Reads its configuration as our main plugins do, and delegates when that says so. */
const reader: Plugin = {
  ...fakePlugin(),
  add: (context) => {
    const { ipam } = readAs(context);
    return ipam.kind === 'delegated' ? delegateAdd(ipam.type, context) : RESULT;
  },
  check: (context) => void readAs(context),
  status: (context) => void readAs(context),
};

const COMMANDS = ['ADD', 'ADD', 'ADD', 'DEL', 'CHECK', 'GC', 'STATUS'];
const VARIABLES = [
  'CNI_COMMAND',
  'CNI_CONTAINERID',
  'CNI_NETNS',
  'CNI_IFNAME',
  'CNI_PATH',
  'CNI_ARGS',
  'CNI_NETNS_OVERRIDE',
];
const TEXTS = [
  '',
  'x',
  '..',
  'a/b',
  'a\nb',
  'x'.repeat(300),
  'IP=10.88.0.5;MAC=02:00:00:00:00:07',
  'IP=x',
  '=;=',
  ';;;',
  '/proc/1/ns/net',
  'true',
];

function mutatedEnvironment(random: () => number): Record<string, string | undefined> {
  const environment = environmentOf(pick(random, COMMANDS));
  if (random() < 0.3) environment[pick(random, VARIABLES)] = pick(random, [...TEXTS, undefined]);
  if (random() < 0.2)
    environment['CNI_ARGS'] = mutateText(
      random,
      'IP=10.88.0.5,fd10:88::5;MAC=02:00:00:00:00:07;K8S_POD_NAME=web',
    );
  return environment;
}

function mutatedStdin(random: () => number, valid: readonly object[]): Buffer {
  let value: unknown = pick(random, valid);
  for (let times = Math.floor(random() * 3); times > 0; times--) value = mutateValue(random, value);
  const text = JSON.stringify(value) ?? '';
  const bytes = Buffer.from(random() < 0.2 ? mutateText(random, text) : text);
  if (random() < 0.02 && bytes.length > 0) bytes[Math.floor(random() * bytes.length)] = 0xff;
  return bytes;
}

const CODES = [1, 2, 4, 5, 6, 7, 11, 50];

/** What a delegate may print: anything. */
function mutatedOutput(random: () => number): {
  exitCode: number | undefined;
  stdout: Buffer;
  stderr: string;
} {
  const value =
    random() < 0.5 ? pick(random, PREVIOUS) : { code: pick(random, CODES), msg: 'm', details: 'd' };
  const text = JSON.stringify(random() < 0.6 ? mutateValue(random, value) : value);
  return {
    exitCode: pick(random, [0, 0, 1, undefined]),
    stdout: Buffer.from(random() < 0.2 ? mutateText(random, text) : text),
    stderr: '',
  };
}

/** What is wrong with an answer; undefined when nothing is. */
function fault(
  { exitCode, stdout }: { exitCode: number; stdout: string },
  command: string | undefined,
): string | undefined {
  if (stdout === '') return exitCode === 0 ? undefined : 'failed without a word';
  const document: unknown = JSON.parse(stdout);
  if (typeof document !== 'object' || document === null || !('cniVersion' in document))
    return 'no document of the protocol';
  if ('code' in document !== (exitCode !== 0)) return 'exit code and document disagree';
  if (exitCode !== 0) {
    const { code, msg } = document as { code?: unknown; msg?: unknown };
    if (code === 999) return `an error nobody foresaw: ${String(msg)}`;
    if (typeof code !== 'number' || typeof msg !== 'string' || msg === '')
      return 'an error without code or words';
    return undefined;
  }
  return command === 'ADD' || command === 'VERSION' ? undefined : 'a document where none belongs';
}

t.test(`${ROUNDS} mutated invocations from seed ${SEED}`, async (t) => {
  const valid = seeds();
  const counted = { successes: 0, errors: 0, delegations: 0 };
  const wrong: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const random = randomOf(SEED + round);
    const environment = mutatedEnvironment(random);
    const stdin = mutatedStdin(random, valid);
    const world = fakeWorld({ programs: ['/usr/lib/cni/host-local'], execute: () => mutatedOutput(random) });
    try {
      const answer = await dispatch(reader, { environment, readStdin: () => stdin }, world);
      const problem = fault(answer, environment['CNI_COMMAND']);
      if (problem !== undefined)
        wrong.push(`seed ${SEED + round}: ${problem}\n${stdin.toString()}\n${answer.stdout}`);
      if (
        world.opened.filter((path) => path === '/run/netns/container' || path === '/proc/1/ns/net').length !==
        world.closed.length
      ) {
        wrong.push(`seed ${SEED + round}: a namespace stays open`);
      }
      if (answer.exitCode === 0) counted.successes++;
      else counted.errors++;
      counted.delegations += world.executed.length;
    } catch (error) {
      wrong.push(`seed ${SEED + round}: threw ${String(error)}\n${stdin.toString()}`);
    }
  }
  t.strictSame(wrong.slice(0, 5), []);
  t.ok(counted.successes > ROUNDS / 20, `some succeed (${counted.successes})`);
  t.ok(counted.errors > ROUNDS / 20, `some fail (${counted.errors})`);
  t.ok(counted.delegations > 0, `some delegate (${counted.delegations})`);
  t.equal(Object.getPrototypeOf({}), Object.prototype);
  t.strictSame(Object.keys(Object.prototype), [], 'no prototype was polluted');
});
