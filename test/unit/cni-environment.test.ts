/** The process environment of a plugin call: what is required, what is refused, and how it is named. */
import t from 'tap';
import { NetmoorError } from '../../lib/base/errors.ts';
import { readParameters } from '../../lib/cni/environment.ts';
import {
  CONTAINER_ID_LENGTH,
  NETWORK_NAME_LENGTH,
  containerIdProblem,
  interfaceNameProblem,
  networkNameProblem,
} from '../../lib/cni/names.ts';
import { environmentOf } from './cni-fakes.ts';
import { naming } from '../naming.ts';

function refusal(environment: Record<string, string | undefined>): NetmoorError {
  try {
    readParameters(environment);
  } catch (error) {
    if (error instanceof NetmoorError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

t.test('every missing variable is named at once', async (t) => {
  const cases: [string, string[]][] = [
    ['ADD', ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH']],
    ['CHECK', ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH']],
    ['DEL', ['CNI_CONTAINERID', 'CNI_IFNAME']],
    ['GC', ['CNI_PATH']],
    ['STATUS', ['CNI_PATH']],
  ];
  for (const [command, names] of cases) {
    const error = refusal({ CNI_COMMAND: command, CNI_NETNS: '', CNI_ARGS: 'broken' });
    t.equal(error.kind, 'bad-environment', command);
    t.strictSame(error.message.match(/CNI_[A-Z]+/g), names, command);
  }
});

t.test('an unknown command is refused with the nearest known one', async (t) => {
  const error = refusal(environmentOf('CHEK'));
  t.equal(error.kind, 'bad-environment');
  t.match(error.message, naming('CNI_COMMAND', 'CHEK'));
  t.match(error.details, naming('CHECK'));
  t.equal(
    refusal(environmentOf('constructor')).kind,
    'bad-environment',
    'an inherited property is no command',
  );
});

t.test('a complete ADD', async (t) => {
  const environment = environmentOf('ADD', {
    CNI_ARGS: 'IgnoreUnknown=1;IP=10.1.0.9,fd00::9;K8S_POD_NAME=web;X=a=b;',
    CNI_PATH: '/opt/cni/bin::/usr/lib/cni',
    CNI_NETNS_OVERRIDE: 'True',
  });
  const parameters = readParameters(environment);
  t.match(parameters, {
    command: 'ADD',
    containerId: 'c1',
    netns: '/run/netns/container',
    ifname: 'eth0',
    netnsOverride: true,
  });
  t.strictSame(
    [...parameters.args],
    [
      ['IgnoreUnknown', '1'],
      ['IP', '10.1.0.9,fd00::9'],
      ['K8S_POD_NAME', 'web'],
      ['X', 'a=b'],
    ],
  );
  t.strictSame(parameters.path, ['/opt/cni/bin', '/usr/lib/cni']);
  t.equal(parameters.environment, environment, 'delegates get it as it came');
});

t.test('DEL needs neither a namespace nor well-formed arguments', async (t) => {
  const parameters = readParameters({
    CNI_COMMAND: 'DEL',
    CNI_CONTAINERID: 'c1',
    CNI_IFNAME: 'eth0',
    CNI_NETNS: '',
    CNI_ARGS: 'broken;A=1',
  });
  t.equal(parameters.netns, '');
  t.strictSame([...parameters.args], [['A', '1']]);
  t.strictSame(parameters.path, []);
});

t.test('STATUS and GC know of no attachment', async (t) => {
  for (const command of ['STATUS', 'GC']) {
    const parameters = readParameters(
      environmentOf(command, { CNI_CONTAINERID: '../x', CNI_ARGS: 'broken' }),
    );
    t.match(parameters, { command, containerId: '', netns: '', ifname: '' });
    t.equal(parameters.args.size, 0);
  }
});

t.test('malformed CNI_ARGS are named', async (t) => {
  for (const command of ['ADD', 'CHECK']) {
    const error = refusal(environmentOf(command, { CNI_ARGS: 'A=1;broken;=x' }));
    t.equal(error.kind, 'bad-environment', command);
    t.match(error.message, naming('CNI_ARGS', '"broken"', '"=x"'), command);
  }
});

t.test('invalid variables are named together, for DEL too', async (t) => {
  const error = refusal(
    environmentOf('ADD', { CNI_CONTAINERID: '../x', CNI_IFNAME: 'a/b', CNI_NETNS: 'netns' }),
  );
  t.match(error.message, naming('CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_NETNS'));
  t.equal(error.kind, 'bad-environment');
  t.match(refusal(environmentOf('DEL', { CNI_CONTAINERID: 'a\nb' })), {
    kind: 'bad-environment',
    message: naming('CNI_CONTAINERID'),
  });
});

t.test('netns override is 1 or true, nothing else', async (t) => {
  for (const [text, on] of [
    ['1', true],
    ['TRUE', true],
    ['true', true],
    ['0', false],
    ['yes', false],
    ['', false],
    [undefined, false],
  ] as const) {
    t.equal(
      readParameters(environmentOf('ADD', { CNI_NETNS_OVERRIDE: text })).netnsOverride,
      on,
      String(text),
    );
  }
});

t.test('container ids and network names', async (t) => {
  const hex = 'f'.repeat(64);
  for (const good of ['a', '0', hex, `moby-${hex}`, 'a_b.c-d', 'A'.repeat(NETWORK_NAME_LENGTH)]) {
    t.equal(containerIdProblem(good), undefined, good);
    t.equal(networkNameProblem(good), undefined, good);
  }
  for (const bad of [
    '',
    '.',
    '..',
    '../x',
    '-a',
    '_a',
    'a/b',
    'a b',
    'a\nb',
    'a\n',
    'ä',
    'a\0',
    'x'.repeat(300),
  ]) {
    t.type(containerIdProblem(bad), 'string', JSON.stringify(bad));
    t.type(networkNameProblem(bad), 'string', JSON.stringify(bad));
  }
  t.equal(containerIdProblem('x'.repeat(CONTAINER_ID_LENGTH)), undefined);
  t.match(containerIdProblem('x'.repeat(CONTAINER_ID_LENGTH + 1)), naming('154', '153'));
  t.ok(
    CONTAINER_ID_LENGTH + NETWORK_NAME_LENGTH + 15 + 2 <= 255,
    "a runtime's cache file can be named after them",
  );
});

t.test('interface names', async (t) => {
  for (const good of ['eth0', 'a', '123456789012345', 'eth0.100', 'ens-1_a', 'é'])
    t.equal(interfaceNameProblem(good), undefined, good);
  for (const bad of [
    '',
    '.',
    '..',
    '1234567890123456',
    'éééééééé',
    'a/b',
    'a:b',
    'a b',
    'a\tb',
    'a\n',
    'eth%d',
    'a\u0001',
    'all',
    'default',
  ]) {
    t.type(interfaceNameProblem(bad), 'string', JSON.stringify(bad));
  }
});
