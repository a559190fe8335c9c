/**
 * Whatever comes in, the dispatcher answers: it never throws, prints one JSON document or nothing, and its exit code is
 * non-zero exactly when that document is an error, with a code that fits. See properties.ts.
 */
import fc from 'fast-check';
import t from 'tap';
import { readdirSync, readFileSync } from 'node:fs';
import { dispatch } from '../../lib/cni/dispatch.ts';
import { CODE_OF_KIND } from '../../lib/cni/errors.ts';
import { SUPPORTED_VERSIONS } from '../../lib/cni/versions.ts';
import type { Context, Plugin } from '../../lib/cni/plugin.ts';
import type { MooringConfig } from '../../lib/mooring/kind.ts';
import { delegateAdd } from '../../lib/cni/delegate.ts';
import { readBridgeNatConfig } from '../../plugins/bridge-nat/config.ts';
import { readMacvlanConfig } from '../../plugins/macvlan-v6/config.ts';
import { RESULT, environmentOf, fakePlugin, fakeWorld } from '../unit/cni-fakes.ts';
import { editedJson, editedText } from './json-edits.ts';
import { asking, rounds } from './properties.ts';

const ROUNDS = 4000;

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

interface Called {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether the environment is as a runtime makes it. */
  readonly isUsual: boolean;
  readonly stdin: Buffer;
  /** What a delegate prints: anything. */
  readonly outcome: {
    readonly exitCode: number | undefined;
    readonly stdout: Buffer;
    readonly stderr: string;
  };
}

const usual = fc
  .constantFrom(...COMMANDS)
  .map((command) => ({ environment: environmentOf(command), isUsual: true }));

const strange = fc
  .tuple(
    fc.constantFrom(...COMMANDS),
    fc.option(fc.tuple(fc.constantFrom(...VARIABLES), fc.constantFrom(...TEXTS, undefined)), {
      nil: undefined,
    }),
    fc.option(editedText(fc.constant('IP=10.88.0.5,fd10:88::5;MAC=02:00:00:00:00:07;K8S_POD_NAME=web')), {
      nil: undefined,
    }),
  )
  .map(([command, variable, args]) => ({
    environment: {
      ...environmentOf(command),
      ...(args === undefined ? {} : { CNI_ARGS: args }),
      ...(variable === undefined ? {} : { [variable[0]]: variable[1] }),
    },
    isUsual: false,
  }));

/** As bytes; now and then with a piece missing, or a byte that no text has. */
function printed(value: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> {
  const text = value.map((each) => JSON.stringify(each) ?? '');
  const whole = { arbitrary: text.map((each) => Buffer.from(each)), weight: 8 };
  const broken = { arbitrary: editedText(text).map((each) => Buffer.from(each)), weight: 2 };
  const noText = {
    arbitrary: text.map((each) => Buffer.concat([Buffer.from(each), Buffer.from([0xff])])),
    weight: 1,
  };
  return fc.oneof(whole, broken, noText);
}

const CODES = [1, 2, 4, 5, 6, 7, 11, 50];
const said = fc.constantFrom(...CODES).map((code) => ({ code, msg: 'm', details: 'd' }));

const called: fc.Arbitrary<Called> = fc
  .record({
    how: fc.oneof({ arbitrary: usual, weight: 2 }, { arbitrary: strange, weight: 1 }),
    stdin: printed(editedJson(seeds(), 2)),
    outcome: fc.record({
      exitCode: fc.constantFrom(0, 0, 1, undefined),
      stdout: printed(fc.oneof(editedJson(PREVIOUS, 2), said)),
      stderr: fc.constant(''),
    }),
  })
  .map(({ how, ...rest }) => ({ ...how, ...rest }));

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

/** What nobody but a delegate may have said of a call that is as a runtime makes it, but for its configuration. */
const ABOUT_CONFIGURATION = [
  CODE_OF_KIND['bad-version'],
  CODE_OF_KIND['unsupported-field'],
  CODE_OF_KIND['bad-config'],
  CODE_OF_KIND['address-invalid'],
  // A plugin of IPAM that cannot be found, or gives nonsense.
  CODE_OF_KIND['delegate'],
];

function isText(stdin: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(stdin));
    return true;
  } catch {
    return false;
  }
}

/** What is wrong with the code of an error; undefined when nothing is. */
function wrongCode({ isUsual, stdin }: Called, code: number, delegated: boolean): string | undefined {
  if (!isUsual || delegated) return undefined;
  const isJson = code === CODE_OF_KIND['bad-json'];
  if (!isText(stdin)) return isJson ? undefined : `code ${code} for what is no JSON`;
  return isJson || ABOUT_CONFIGURATION.includes(code) ? undefined : `code ${code} for a bad configuration`;
}

interface Counted {
  successes: number;
  errors: number;
  delegations: number;
}

async function tried(call: Called, counted: Counted): Promise<string | undefined> {
  const { environment, stdin, outcome } = call;
  const world = fakeWorld({ programs: ['/usr/lib/cni/host-local'], execute: () => outcome });
  const answer = await dispatch(reader, { environment, readStdin: () => stdin }, world);
  counted[answer.exitCode === 0 ? 'successes' : 'errors']++;
  counted.delegations += world.executed.length;
  const opened = world.opened.filter((path) => path === '/run/netns/container' || path === '/proc/1/ns/net');
  if (opened.length !== world.closed.length) return 'a namespace stays open';
  const problem = fault(answer, environment['CNI_COMMAND']);
  if (problem !== undefined || answer.exitCode === 0) return problem;
  return wrongCode(call, (JSON.parse(answer.stdout) as { code: number }).code, world.executed.length > 0);
}

t.test('edited invocations', async (t) => {
  const counted: Counted = { successes: 0, errors: 0, delegations: 0 };
  const isAnswered = fc.asyncProperty(called, async (call) => {
    const problem = await tried(call, counted);
    if (problem !== undefined) throw new Error(`${problem}\n${call.stdin.toString()}`);
  });
  await fc.assert(isAnswered, asking(ROUNDS));
  const { successes, errors, delegations } = counted;
  const least = rounds(ROUNDS) / 20;
  t.ok(successes > least && errors > least && delegations > 0, `some of each: ${JSON.stringify(counted)}`);
  t.equal(Object.getPrototypeOf({}), Object.prototype);
  t.strictSame(Object.keys(Object.prototype), [], 'no prototype was polluted');
});
