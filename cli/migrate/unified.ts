/** Two texts side by side as `diff -u` shows them (POSIX diff, "Diff -u Output Format"). */

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

const CONTEXT = 3;
/** More comparisons than this, and what is between the common beginning and end is shown as replaced. */
const COMPARISONS = 4_000_000;

/** How long the longest common part of a[i..] and b[j..] is, by row. */
function commonLengths(a: readonly string[], b: readonly string[]): Uint32Array[] {
  const rows = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    const [row, below] = [rows[i], rows[i + 1]];
    if (row === undefined || below === undefined) continue;
    for (let j = b.length - 1; j >= 0; j--)
      row[j] = a[i] === b[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
  }
  return rows;
}

function replaced(a: readonly string[], b: readonly string[]): Line[] {
  return [...a.map((text): Line => ({ sign: '-', text })), ...b.map((text): Line => ({ sign: '+', text }))];
}

function compared(a: readonly string[], b: readonly string[]): Line[] {
  if (a.length * b.length > COMPARISONS) return replaced(a, b);
  const rows = commonLengths(a, b);
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      lines.push({ sign: ' ', text: a[i] ?? '' });
      i++;
      j++;
    } else if ((rows[i + 1]?.[j] ?? 0) >= (rows[i]?.[j + 1] ?? 0))
      lines.push({ sign: '-', text: a[i++] ?? '' });
    else lines.push({ sign: '+', text: b[j++] ?? '' });
  }
  return [...lines, ...replaced(a.slice(i), b.slice(j))];
}

function allLines(a: readonly string[], b: readonly string[]): Line[] {
  const shorter = Math.min(a.length, b.length);
  let head = 0;
  while (head < shorter && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < shorter - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (text: string): Line => ({ sign: ' ', text });
  return [
    ...a.slice(0, head).map(same),
    ...compared(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map(same),
  ];
}

function range(start: number, count: number): string {
  return `${count === 0 ? start - 1 : start},${count}`;
}

function hunk(lines: readonly Line[], from: number, to: number): string[] {
  const before = lines.slice(0, from);
  const part = lines.slice(from, to);
  const count = (of: readonly Line[], sign: string): number => of.filter((line) => line.sign !== sign).length;
  const old = range(count(before, '+') + 1, count(part, '+'));
  const now = range(count(before, '-') + 1, count(part, '-'));
  return [`@@ -${old} +${now} @@`, ...part.map(({ sign, text }) => `${sign}${text}`)];
}

/** Lines ending in newlines; '' when the two are equal. */
export function unified(before: string, after: string, names: readonly [string, string]): string {
  const split = (text: string): string[] => text.replace(/\n$/, '').split('\n');
  const lines = allLines(split(before), split(after));
  const changed = lines.flatMap(({ sign }, index) => (sign === ' ' ? [] : [index]));
  const spans: { from: number; to: number }[] = [];
  for (const index of changed) {
    const last = spans.at(-1);
    if (last && index - CONTEXT <= last.to) last.to = index + CONTEXT + 1;
    else spans.push({ from: Math.max(0, index - CONTEXT), to: index + CONTEXT + 1 });
  }
  if (spans.length === 0) return '';
  const hunks = spans.flatMap(({ from, to }) => hunk(lines, from, Math.min(to, lines.length)));
  return [`--- ${names[0]}`, `+++ ${names[1]}`, ...hunks].map((line) => `${line}\n`).join('');
}
