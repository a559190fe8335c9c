/** Seeded mutation of JSON values and texts, so that a failure can be repeated from its seed. */

/** Mulberry32: numbers in [0, 1). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const NASTY: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  65536,
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

export function pick<T>(random: () => number, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined && items.length === 0) throw new RangeError('nothing to pick from');
  return item as T;
}

/** A copy of the value with one place in it changed, removed or added. */
export function mutateValue(random: () => number, value: unknown): unknown {
  if (random() < 0.15 || typeof value !== 'object' || value === null) return pick(random, NASTY);
  if (Array.isArray(value)) {
    const copy: unknown[] = [...value];
    const at = Math.floor(random() * (copy.length + 1));
    if (at === copy.length) copy.push(pick(random, NASTY));
    else if (random() < 0.2) copy.splice(at, 1);
    else copy[at] = mutateValue(random, copy[at]);
    return copy;
  }
  const entries = Object.entries(value);
  const at = Math.floor(random() * (entries.length + 1));
  const entry = entries[at];
  if (entry === undefined) entries.push([pick(random, KEYS), pick(random, NASTY)]);
  else if (random() < 0.2) entries.splice(at, 1);
  else
    entries[at] = random() < 0.1 ? [pick(random, KEYS), entry[1]] : [entry[0], mutateValue(random, entry[1])];
  return Object.fromEntries(entries);
}

/** The text with a piece cut out, doubled, overwritten, or cut off. */
export function mutateText(random: () => number, text: string): string {
  const from = Math.floor(random() * text.length);
  const to = Math.min(text.length, from + Math.floor(random() * 20));
  const ways = [
    () => text.slice(0, from),
    () => text.slice(0, from) + text.slice(to),
    () => text.slice(0, to) + text.slice(from),
    () =>
      text.slice(0, from) +
      pick(random, ['"', '{', '}', '[', ',', '\\', '\u0000', 'é', '9', ' ']) +
      text.slice(to),
  ];
  return pick(random, ways)();
}
