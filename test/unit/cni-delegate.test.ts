/** Delegation: search, environment, results, and what is taken back. */
import t from 'tap';
import { NetmoorError, SystemError } from '../../lib/base/errors.ts';
import { readConfig } from '../../lib/cni/config.ts';
import {
  delegateAdd,
  delegateCheck,
  delegateDel,
  delegateGc,
  delegateStatus,
  findPlugin,
} from '../../lib/cni/delegate.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import { DelegateError } from '../../lib/cni/errors.ts';
import type { Context } from '../../lib/cni/plugin.ts';
import type { Outcome } from '../../lib/cni/world.ts';
import { CONFIG, environmentOf, fakeWorld } from './cni-fakes.ts';
import type { Executed, FakeWorld } from './cni-fakes.ts';
import { realWorld } from '../../lib/cni/real-world.ts';
import { naming } from '../naming.ts';

const FILE = '/usr/lib/cni/host-local';

function outcome(changes: Partial<Outcome> & { text?: string } = {}): Outcome {
  const { text = '', ...rest } = changes;
  return { exitCode: 0, stdout: Buffer.from(text), stderr: '', ...rest };
}

interface Bench {
  readonly context: Context;
  readonly world: FakeWorld;
  readonly notes: string[];
}

function bench(execute: (call: Executed) => Outcome): Bench {
  const world = fakeWorld({ programs: [FILE], execute });
  const notes: string[] = [];
  const stdin = Buffer.from('{ "as": "received" }');
  const environment = environmentOf('ADD', { CNI_ARGS: 'A=1', TRACEPARENT: 'x' });
  const request = { ...readParameters(environment), stdin };
  const context = {
    request,
    config: readConfig(CONFIG, '1.1.0', 'ADD'),
    world,
    note: (line: string) => void notes.push(line),
  };
  return { context, world, notes };
}

const commandOf = ({ environment }: Executed): string | undefined => environment['CNI_COMMAND'];

t.test('our own executable, where CNI_PATH has none of that name', async (t) => {
  const own = { file: '/usr/local/bin/netmoor', args: ['main.ts'], argv0: 'dhcp-ipam' };
  const ownProgram = (type: string) => (type === 'dhcp-ipam' ? own : undefined);
  const world = { ...fakeWorld({ programs: ['/b/dhcp-ipam'] }), ownProgram };
  t.strictSame(findPlugin('dhcp-ipam', ['/a'], world), own);
  t.strictSame(findPlugin('dhcp-ipam', ['/a', '/b'], world), { file: '/b/dhcp-ipam' });
  t.throws(() => findPlugin('host-local', ['/a'], world), {
    kind: 'delegate',
    message: naming('host-local'),
  });
  const real = realWorld().ownProgram?.('dhcp-ipam');
  t.match(real, { file: process.execPath, args: [naming('cli/main.ts')], argv0: 'dhcp-ipam' });
  t.equal(realWorld().ownProgram?.('host-local'), undefined);
});

t.test('the first directory of CNI_PATH that has it', async (t) => {
  const world = fakeWorld({ programs: ['/b/x', '/c/x', '/etc/passwd'] });
  t.strictSame(findPlugin('x', ['/a', '/b/', '/c'], world), { file: '/b/x' });
  t.throws(() => findPlugin('y', ['/a', '/b'], world), {
    kind: 'delegate',
    message: naming('"y"'),
    details: naming('/a:/b'),
  });
  t.throws(() => findPlugin('y', [], world), {
    kind: 'delegate',
    message: naming('"y"'),
    details: naming('CNI_PATH'),
  });
  for (const type of ['../etc/passwd', 'a/b', '..', '.', '', '/etc/passwd', 'a\nb', '-x']) {
    t.throws(
      () => findPlugin(type, ['/', '/a'], world),
      { kind: 'bad-config', message: naming(JSON.stringify(type)) },
      type,
    );
  }
});

const VERSIONS = '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}';
const OLD_VERSIONS = '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}';

t.test('it gets the same environment and the same bytes', async (t) => {
  const { context, world } = bench((call) =>
    outcome({
      text: commandOf(call) === 'VERSION' ? VERSIONS : '{"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.2/8"}}',
    }),
  );
  t.strictSame(delegateAdd('host-local', context).ips, [{ address: '10.0.0.2/8' }]);
  delegateDel('host-local', context);
  delegateCheck('host-local', context);
  delegateGc('host-local', context);
  delegateStatus('host-local', context);
  t.strictSame(world.executed.map(commandOf), ['ADD', 'DEL', 'CHECK', 'VERSION', 'GC', 'VERSION', 'STATUS']);
  for (const call of world.executed) {
    t.equal(call.file, FILE);
    if (commandOf(call) !== 'VERSION') t.equal(call.stdin, context.request.stdin);
    t.strictSame({ ...call.environment, CNI_COMMAND: 'ADD' }, context.request.environment);
    t.ok(call.timeLimit > 0);
  }
});

t.test(
  'one that does not know the version: ADD would fail, and there is nothing to release or collect',
  async (t) => {
    const { context, world, notes } = bench((call) =>
      commandOf(call) === 'VERSION'
        ? outcome({ text: OLD_VERSIONS })
        : outcome({ exitCode: 1, text: '{"code":1,"msg":"incompatible CNI versions"}' }),
    );
    t.throws(() => delegateStatus('host-local', context), {
      kind: 'not-available',
      message: naming('"host-local"', '1.1.0'),
    });
    delegateGc('host-local', context);
    delegateDel('host-local', context);
    t.strictSame(world.executed.map(commandOf), ['VERSION', 'VERSION', 'DEL']);
    t.match(notes, [naming('host-local', 'GC'), naming('host-local DEL', 'incompatible CNI versions')]);
    t.throws(() => delegateAdd('host-local', context), {
      code: 1,
      message: naming('host-local ADD', 'incompatible CNI versions'),
    });
  },
);

t.test('its error is handed on with its code; a failed ADD is followed by DEL', async (t) => {
  const { context, world, notes } = bench((call) =>
    commandOf(call) === 'ADD'
      ? outcome({ exitCode: 1, text: '{"code":11,"msg":"full","details":"wait"}', stderr: 'log line\n' })
      : outcome(),
  );
  t.throws(() => delegateAdd('host-local', context), new DelegateError(11, 'host-local ADD: full', 'wait'));
  t.strictSame(world.executed.map(commandOf), ['ADD', 'DEL']);
  t.strictSame(notes, ['log line'], 'its stderr goes to ours');
});

t.test('what is no result is a failed ADD too, and a failing DEL does not hide it', async (t) => {
  for (const [text, kind] of [
    ['', 'bad-json'],
    ['{', 'bad-json'],
    ['[]', 'bad-json'],
    ['{"ips":[{"address":"x"}]}', 'bad-config'],
    ['{"cniVersion":"9.9.9"}', 'bad-version'],
  ] as const) {
    const { context, world, notes } = bench((call) =>
      commandOf(call) === 'ADD' ? outcome({ text }) : outcome({ exitCode: 3, stderr: 'broken' }),
    );
    t.throws(
      () => delegateAdd('host-local', context),
      { kind, message: naming('host-local') },
      JSON.stringify(text),
    );
    t.strictSame(world.executed.map(commandOf), ['ADD', 'DEL']);
    t.match(notes.at(-1), naming('DEL', 'exit code 3'));
  }
});

t.test('without error JSON or with a code of its own: 107, and what it said', async (t) => {
  const cases: [Partial<Outcome> & { text?: string }, string, string][] = [
    [{ exitCode: 2, stderr: ' panic \n' }, 'exit code 2', 'panic'],
    [{ exitCode: undefined, killedBy: 'SIGSEGV' }, 'SIGSEGV', ''],
    [{ exitCode: undefined, killedBy: 'time limit' }, 'time limit', ''],
    [{ exitCode: 1, text: 'not JSON', stderr: 'x' }, 'exit code 1', 'x'],
    [{ exitCode: 1, text: '{"code":0,"msg":"zero"}' }, 'exit code 1', ''],
    [{ exitCode: 1, text: '{"code":"7","msg":"text"}' }, 'exit code 1', ''],
    [{ exitCode: 1, text: '{"code":999,"msg":"text","details":"why"}' }, 'code 999', 'why'],
    [{ exitCode: 1, text: '{"code":100,"msg":"text"}' }, 'code 100', ''],
    [{ exitCode: 1, text: '{"code":107,"msg":"text"}' }, 'text', ''],
  ];
  for (const [changes, thing, details] of cases) {
    const { context } = bench(() => outcome(changes));
    t.throws(() => delegateDel('host-local', context), {
      code: 107,
      message: naming('host-local DEL', thing),
      details,
    });
  }
});

t.test('a file that is being written is tried again for a while', async (t) => {
  const busy = (): never => {
    throw new SystemError('spawn', 26);
  };
  let refusals = 3;
  const once = bench(() => (refusals-- > 0 ? busy() : outcome()));
  delegateDel('host-local', once.context);
  t.equal(once.world.paused.length, 3);
  const forever = bench(busy);
  t.throws(() => delegateDel('host-local', forever.context), {
    kind: 'delegate',
    message: naming('host-local', 'ETXTBSY'),
  });
  t.ok(forever.world.paused.length > 3);
});

t.test('one that cannot be started, or is not there, needs no DEL', async (t) => {
  const missing = bench(() => outcome());
  t.throws(() => delegateAdd('static', missing.context), {
    kind: 'delegate',
    message: naming('"static"'),
  });
  t.strictSame(missing.world.executed, []);
  const broken = bench(() => {
    throw new SystemError('spawn', 8);
  });
  t.throws(() => delegateDel('host-local', broken.context), {
    kind: 'delegate',
    message: naming('host-local', 'ENOEXEC'),
  });
  t.throws(() => delegateDel('host-local', broken.context), NetmoorError);
});
