/** Errors as runtimes see them, and what a schema refuses put into words. */
import t from 'tap';
import { NetmoorError, SystemError } from '../../lib/base/errors.ts';
import type { ErrorKind } from '../../lib/base/errors.ts';
import { CODE_OF_KIND, DelegateError, errorAnswer, toCniError } from '../../lib/cni/errors.ts';
import { quote } from '../../lib/cni/quote.ts';
import { schemaProblem } from '../../lib/cni/schema-errors.ts';
import { naming } from '../naming.ts';

t.test("the specification's codes, and from 100 on our own", async (t) => {
  const codes: [ErrorKind, number][] = [
    ['bad-version', 1],
    ['unsupported-field', 2],
    ['unknown-container', 3],
    ['bad-environment', 4],
    ['bad-netns', 4],
    ['own-netns', 4],
    ['io', 5],
    ['store', 5],
    ['bad-json', 6],
    ['bad-config', 7],
    ['address-invalid', 7],
    ['pool-exhausted', 11],
    ['try-again', 11],
    ['not-available', 50],
    ['internal', 999],
  ];
  for (const [kind, code] of codes) t.equal(toCniError(new NetmoorError(kind, 'm')).code, code, kind);
  const named = new Set(codes.map(([kind]) => kind));
  const own = Object.entries(CODE_OF_KIND).filter(([kind]) => !named.has(kind as ErrorKind));
  t.ok(own.length > 0);
  t.ok(
    own.every(([, code]) => code >= 100 && code < 999),
    'kinds the specification has no code for',
  );
  t.equal(new Set(own.map(([, code]) => code)).size, own.length, 'told apart');
});

t.test('the answer', async (t) => {
  t.strictSame(errorAnswer(new NetmoorError('bad-config', 'what', 'do this'), '0.4.0'), {
    cniVersion: '0.4.0',
    code: 7,
    msg: 'what',
    details: 'do this',
  });
  t.strictSame(errorAnswer(new NetmoorError('bad-config', 'what'), '1.1.0'), {
    cniVersion: '1.1.0',
    code: 7,
    msg: 'what',
  });
  t.strictSame(errorAnswer(new DelegateError(51, 'their words', 'their details'), '1.1.0'), {
    cniVersion: '1.1.0',
    code: 51,
    msg: 'their words',
    details: 'their details',
  });
});

t.test('a cause is told once', async (t) => {
  const cause = new SystemError('open the store', 13);
  t.equal(
    toCniError(new NetmoorError('store', 'no store', '', { cause })).msg,
    'no store: open the store: EACCES',
  );
  t.equal(
    toCniError(new NetmoorError('store', 'no store: open the store: EACCES', '', { cause })).msg,
    'no store: open the store: EACCES',
  );
});

t.test('the kernel, files, and what nobody foresaw', async (t) => {
  t.match(toCniError(new SystemError('create bridge', 1)), {
    code: CODE_OF_KIND.privilege,
    msg: 'create bridge: EPERM',
    details: 'run as root, with CAP_NET_ADMIN and CAP_SYS_ADMIN in the namespaces concerned',
  });
  t.match(toCniError(new SystemError('create bridge', 95, { extack: 'why' })), {
    code: CODE_OF_KIND.kernel,
    msg: 'create bridge: EOPNOTSUPP (why)',
    details: 'the running kernel lacks this feature, or its module is not loaded',
  });
  t.match(toCniError(Object.assign(new Error('EROFS: x'), { code: 'EROFS' })), {
    code: 5,
    details: 'the file system is read-only; choose a directory that can be written',
  });
  t.match(toCniError(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' })), {
    code: 999,
    msg: 'x',
  });
  for (const thrown of [new TypeError('oops'), 'oops', new Error(''), undefined, null, { a: 1 }]) {
    const { code, msg } = toCniError(thrown);
    t.equal(code, 999);
    t.notSame(msg, '');
    t.notMatch(msg, /\n +at /, 'no stack');
  }
});

t.test('several failures: the first code, all words', async (t) => {
  const errors = [
    new NetmoorError('kernel', 'one', 'try'),
    new NetmoorError('store', 'two', 'try'),
    new Error('three'),
  ];
  t.match(toCniError(new AggregateError(errors)), {
    code: CODE_OF_KIND.kernel,
    msg: 'one; two; three',
    details: 'try; this is a defect of netmoor; please report it',
  });
  t.equal(toCniError(new AggregateError([], 'nothing')).code, 999);
});

t.test('quoted input is short and on one line', async (t) => {
  t.equal(quote('a\nb'), '"a\\nb"');
  t.equal(quote(undefined), 'undefined');
  t.ok(quote('x'.repeat(5000)).length < 120);
  t.match(quote('x'.repeat(5000)), naming('5002'));
});

t.test('schema errors: places, pointers and neighbours', async (t) => {
  const schema = { definitions: { range: { properties: { subnet: {}, rangeStart: {} } } } };
  const error = (
    keyword: string,
    params: Record<string, unknown>,
    instancePath: string,
    schemaPath = '#/x',
    message = 'must NOT be so',
  ) => [{ keyword, params, instancePath, schemaPath, message }];
  const data = { ranges: [[{ rangeStrat: '10.0.0.1', 'a/b': 1 }]] };
  const unknown = (additionalProperty: string) =>
    schemaProblem(
      schema,
      error(
        'additionalProperties',
        { additionalProperty },
        '/ranges/0/0',
        '#/definitions/range/additionalProperties',
      ),
      data,
      'ipam',
    );
  t.match(unknown('rangeStrat'), {
    kind: 'unsupported-field',
    message: 'unknown key ipam.ranges[0][0].rangeStrat: "10.0.0.1"',
    details: 'did you mean "rangeStart"? known keys here: subnet, rangeStart',
  });
  t.equal(unknown('a/b').details, 'known keys here: subnet, rangeStart', 'nothing is near');
  t.match(schemaProblem(schema, error('type', { type: ['string', 'array'] }, '/ranges/0/0/a~1b'), data, ''), {
    kind: 'bad-config',
    message: 'ranges[0][0].a/b must be of type string or array, not 1',
  });
  t.match(
    schemaProblem(schema, error('enum', { allowedValues: ['open', 'isolated'] }, '/p'), { p: 'isolate' }, ''),
    {
      message: 'p must be one of "open", "isolated", not "isolate"',
      details: 'did you mean "isolated"?',
    },
  );
  t.match(
    schemaProblem(schema, error('required', { missingProperty: 'subnet' }, ''), {}, 'ipam').message,
    'ipam.subnet is missing',
  );
  t.match(
    schemaProblem(schema, error('minItems', { limit: 1 }, '/a'), { a: [] }, '').message,
    'a must NOT be so, not []',
  );
  const bounds = { a: 2 ** 40, b: 'x\0y' };
  t.match(schemaProblem(schema, error('maximum', { limit: 1 }, '/a'), bounds, ''), { details: 'lower it' });
  t.match(schemaProblem(schema, error('minimum', { limit: 1 }, '/a'), bounds, ''), { details: 'raise it' });
  t.match(schemaProblem(schema, error('pattern', {}, '/b'), bounds, ''), {
    details: 'no path has a NUL byte: take it out',
  });
  t.equal(schemaProblem(schema, null, {}, '').kind, 'internal');
});
