/** JSON values and texts with a few edits, as arbitraries: what fails is shrunk to the fewest edits that fail. */
import fc from 'fast-check';

const NASTY: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  65_536,
  2 ** 53,
  1e308,
  '',
  '..',
  '../../etc/passwd',
  'a\nb',
  '\u0000',
  'x'.repeat(300),
  '10.0.0.0/33',
  '::/129',
  '0.0.0.0/0',
  'fd00::1%eth0',
  [],
  [[]],
  {},
  { type: 'host-local' },
];

const KEYS = [
  'name',
  'type',
  'constructor',
  '__proto__',
  'toString',
  'hostPort',
  'HostPort',
  'ipam',
  'cni.dev/x',
  '_',
  '',
  'length',
];

interface Edit {
  /** Which place of the value, itself included, in the order of its text; modulo their number. */
  readonly where: number;
  readonly what: 'replace' | 'remove' | 'rename' | 'add';
  readonly value: unknown;
  readonly key: string;
}

const nasty = fc.oneof(fc.constantFrom(...NASTY), fc.jsonValue({ maxDepth: 2 }));

const edit: fc.Arbitrary<Edit> = fc.record({
  where: fc.nat(999),
  what: fc.constantFrom('replace', 'remove', 'rename', 'add'),
  value: nasty,
  key: fc.oneof(fc.constantFrom(...KEYS), fc.string({ maxLength: 8 })),
});

function isComposite(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function places(value: unknown): number {
  if (!isComposite(value)) return 1;
  return Object.values(value).reduce<number>((sum, each) => sum + places(each), 1);
}

/** An own member, whatever it is called: `__proto__` as well, which assignment would not make one. */
function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}

function added(value: unknown, { value: what, key }: Edit): unknown {
  if (Array.isArray(value)) return [...(value as unknown[]), what];
  return isComposite(value) ? objectOf([...Object.entries(value), [key, what]]) : what;
}

/** The entry, changed; nothing when it is gone. */
function entryEdited([key, value]: readonly [string, unknown], change: Edit): [string, unknown][] {
  if (change.what === 'remove') return [];
  if (change.what === 'rename') return [[change.key, value]];
  return [[key, change.what === 'add' ? added(value, change) : change.value]];
}

function edited(value: unknown, where: number, change: Edit): unknown {
  if (where === 0 || !isComposite(value)) return change.what === 'add' ? added(value, change) : change.value;
  let before = 1;
  const entries = Object.entries(value).flatMap(([key, each]): [string, unknown][] => {
    const begin = before;
    before += places(each);
    if (where < begin || where >= before) return [[key, each]];
    if (where === begin) return entryEdited([key, each], change);
    return [[key, edited(each, where - begin, change)]];
  });
  return Array.isArray(value) ? entries.map(([, each]) => each) : objectOf(entries);
}

/** One of the values, with up to `most` edits. */
export function editedJson(values: readonly unknown[], most: number): fc.Arbitrary<unknown> {
  return fc
    .tuple(fc.constantFrom(...values), fc.array(edit, { maxLength: most }))
    .map(([value, edits]) => edits.reduce((now, each) => edited(now, each.where % places(now), each), value));
}

const scratch = fc.record({
  at: fc.nat(4095),
  count: fc.nat(20),
  insert: fc.oneof(
    fc.constantFrom('', '"', '{', '}', '[', ',', '\\', '\u0000', 'é', '9', ' '),
    fc.string({ maxLength: 4 }),
  ),
});

/** The text with a piece cut out, overwritten or put in. */
export function editedText(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(text, fc.array(scratch, { maxLength: 2 })).map(([whole, edits]) =>
    edits.reduce((now, { at, count, insert }) => {
      const from = now.length === 0 ? 0 : at % now.length;
      return now.slice(0, from) + insert + now.slice(from + count);
    }, whole),
  );
}
