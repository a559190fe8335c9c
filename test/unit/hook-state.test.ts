/** States as runc, crun and podman write them, what they mean, and what is refused. */
import t from 'tap';
import { chooseAction, readState } from '../../hooks/oci/state.ts';
import type { ErrorKind } from '../../lib/base/errors.ts';
import { naming } from '../naming.ts';

const read = (state: unknown): ReturnType<typeof readState> =>
  readState(Buffer.from(typeof state === 'string' ? state : JSON.stringify(state)));

t.test('runtimes, stage by stage', async (t) => {
  const cases: [string, Record<string, unknown>, string][] = [
    [
      'runc createRuntime',
      { ociVersion: '1.0.2-dev', id: 'c1', status: 'creating', pid: 77, bundle: '/b' },
      'attach',
    ],
    [
      'crun createRuntime',
      { ociVersion: '1.0', id: 'c1', status: 'created', pid: 77, root: '/b/rootfs', bundle: '/b' },
      'attach',
    ],
    [
      'runc poststop',
      { ociVersion: '1.0.2-dev', id: 'c1', status: 'stopped', bundle: '/b', annotations: {} },
      'detach',
    ],
    ['crun poststop', { ociVersion: '1.0', id: 'c1', status: 'stopped', pid: 0, bundle: '/b' }, 'detach'],
    [
      'podman poststop',
      { ociVersion: '1.0.2-dev', id: 'c1', status: 'stopped', bundle: '/b', annotations: null },
      'detach',
    ],
    ['poststart', { ociVersion: '1.0.2', id: 'c1', status: 'running', pid: 77, bundle: '/b' }, 'nothing'],
  ];
  for (const [name, state, action] of cases) t.equal(chooseAction(undefined, read(state)), action, name);
  t.equal(read({ ociVersion: '1.0', id: 'c1', status: 'stopped', pid: 0, bundle: '/b' }).pid, undefined);
  t.strictSame(
    read({ ociVersion: '1.0', id: 'c1', status: 'created', pid: 1, bundle: '/b' }).annotations,
    {},
  );
});

t.test('an argument names the stage', async (t) => {
  const state = { status: 'created', pid: 5 } as const;
  for (const stage of ['attach', 'prestart', 'createRuntime']) t.equal(chooseAction(stage, state), 'attach');
  for (const stage of ['detach', 'poststop']) t.equal(chooseAction(stage, state), 'detach');
  t.equal(chooseAction('poststart', state), 'nothing');
  for (const stage of ['createContainer', 'startContainer'])
    t.throws(() => chooseAction(stage, state), { kind: 'bad-config', message: naming(stage) });
  t.throws(() => chooseAction('postStop', state), {
    kind: 'bad-config',
    message: naming('"postStop"'),
    details: naming('poststop'),
  });
  t.throws(() => chooseAction('__proto__', state), { kind: 'bad-config', message: naming('"__proto__"') });
});

t.test('a state without a process is none to attach', async (t) => {
  t.throws(() => chooseAction(undefined, { status: 'created', pid: undefined }), {
    kind: 'bad-config',
    message: naming('"created"'),
    details: naming('createRuntime', 'poststop'),
  });
});

t.test('refused states', async (t) => {
  const usual = { ociVersion: '1.0', id: 'c1', status: 'created', pid: 1, bundle: '/b' };
  const cases: [string, unknown, ErrorKind, ...string[]][] = [
    ['nothing', '', 'bad-json'],
    ['no JSON', '{', 'bad-json'],
    ['a list', '[]', 'bad-json', '[]'],
    ['no id', { ...usual, id: undefined }, 'bad-config', 'state.id'],
    ['an id that leads elsewhere', { ...usual, id: '../../etc' }, 'bad-config', '"../../etc"'],
    ['an id with a line break', { ...usual, id: 'a\nb' }, 'bad-config', '"a\\nb"'],
    ['an id that is too long', { ...usual, id: 'a'.repeat(200) }, 'bad-config', '200', '153'],
    ['an unknown status', { ...usual, status: 'paused' }, 'bad-config', 'state.status', '"paused"'],
    ['a pid that is no number', { ...usual, pid: '1' }, 'bad-config', 'state.pid', '"1"'],
    ['a negative pid', { ...usual, pid: -1 }, 'bad-config', 'state.pid', '-1'],
    ['a pid with a fraction', { ...usual, pid: 1.5 }, 'bad-config', 'state.pid', '1.5'],
    ['a huge pid', { ...usual, pid: 2 ** 40 }, 'bad-config', 'state.pid', String(2 ** 40)],
    ['a relative bundle', { ...usual, bundle: 'b' }, 'bad-config', 'state.bundle', '"b"'],
    ['a bundle with a zero byte', { ...usual, bundle: '/b\0/etc' }, 'bad-config', 'state.bundle', '/etc'],
    [
      'annotations that are no texts',
      { ...usual, annotations: { a: 1 } },
      'bad-config',
      'state.annotations.a',
    ],
    [
      'a prototype',
      '{"ociVersion":"1.0","id":"c1","status":"created","bundle":"/b","annotations":{"__proto__":"x"}}',
      'bad-json',
      '"__proto__"',
    ],
    ['too much of it', { ...usual, annotations: { a: 'x'.repeat(1024 * 1024) } }, 'bad-json', '1048576'],
  ];
  for (const [name, state, kind, ...things] of cases)
    t.throws(() => read(state), { kind, message: naming(...things) }, name);
});
