/** States as runc, crun and podman write them, what they mean, and what is refused. */
import t from 'tap';
import { chooseAction, readState } from '../../hooks/oci/state.ts';

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
    t.throws(() => chooseAction(stage, state), { message: /inside the container/ });
  t.throws(() => chooseAction('postStop', state), {
    message: /unknown stage/,
    details: /did you mean poststop/,
  });
  t.throws(() => chooseAction('__proto__', state), { message: /unknown stage/ });
});

t.test('a state without a process is none to attach', async (t) => {
  t.throws(() => chooseAction(undefined, { status: 'created', pid: undefined }), {
    message: /names no process/,
    details: /not under createContainer/,
  });
});

t.test('refused states', async (t) => {
  const usual = { ociVersion: '1.0', id: 'c1', status: 'created', pid: 1, bundle: '/b' };
  const cases: [string, unknown, RegExp][] = [
    ['nothing', '', /no container state/],
    ['no JSON', '{', /not JSON/],
    ['a list', '[]', /must be a JSON object/],
    ['no id', { ...usual, id: undefined }, /state.id is missing/],
    ['an id that leads elsewhere', { ...usual, id: '../../etc' }, /container id/],
    ['an id with a line break', { ...usual, id: 'a\nb' }, /container id/],
    ['an id that is too long', { ...usual, id: 'a'.repeat(200) }, /more than the 153/],
    ['an unknown status', { ...usual, status: 'paused' }, /state.status must be one of/],
    ['a pid that is no number', { ...usual, pid: '1' }, /state.pid must be of type integer/],
    ['a negative pid', { ...usual, pid: -1 }, /state.pid/],
    ['a pid with a fraction', { ...usual, pid: 1.5 }, /state.pid/],
    ['a huge pid', { ...usual, pid: 2 ** 40 }, /state.pid/],
    ['a relative bundle', { ...usual, bundle: 'b' }, /state.bundle/],
    ['a bundle with a zero byte', { ...usual, bundle: '/b\0/etc' }, /state.bundle/],
    ['annotations that are no texts', { ...usual, annotations: { a: 1 } }, /state.annotations/],
    [
      'a prototype',
      '{"ociVersion":"1.0","id":"c1","status":"created","bundle":"/b","annotations":{"__proto__":"x"}}',
      /__proto__/,
    ],
    ['too much of it', { ...usual, annotations: { a: 'x'.repeat(1024 * 1024) } }, /larger than/],
  ];
  for (const [name, state, message] of cases) t.throws(() => read(state), { message }, name);
});
