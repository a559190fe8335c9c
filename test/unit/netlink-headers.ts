/**
 * Reads numbers from the kernel's headers for user space (Debian's linux-libc-dev): enumerations and #defines of
 * constants.
 */
import { readFileSync } from 'node:fs';

type Expressions = Map<string, string>;

/** `text` without comments, each directive on one line. */
function plain(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/\/\/.*/g, '')
    .replaceAll('\\\n', ' ');
}

function readDefines(text: string, into: Expressions): void {
  for (const [, name = '', value = ''] of text.matchAll(/^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+(\S.*)$/gm))
    if (name !== value.trim()) into.set(name, value.trim());
}

function readEnumerations(text: string, into: Expressions): void {
  const withoutDirectives = text.replace(/^[ \t]*#.*$/gm, '');
  for (const [, body = ''] of withoutDirectives.matchAll(/\benum\b[^{};]*\{([^}]*)\}/g)) {
    let previous = '-1';
    for (const entry of body.split(',').map((each) => each.trim())) {
      const [, name, value] = /^(\w+)\s*(?:=\s*([\s\S]+))?$/.exec(entry) ?? [];
      if (name === undefined) continue;
      into.set(name, value ?? `${previous} + 1`);
      previous = name;
    }
  }
}

/** The value of sums, shifts and unions of numbers and names; undefined for anything else. */
function evaluate(expression: string, known: Expressions): number | undefined {
  const text = expression.trim().replace(/^\((.*)\)$/, '$1');
  for (const operator of ['|', '<<', '+'] as const) {
    const at = text.lastIndexOf(operator);
    if (at < 0) continue;
    const left = evaluate(text.slice(0, at), known);
    const right = evaluate(text.slice(at + operator.length), known);
    if (left === undefined || right === undefined) return undefined;
    return operator === '|' ? (left | right) >>> 0 : operator === '+' ? left + right : left * 2 ** right;
  }
  if (/^-?(0x[0-9a-f]+|\d+)U?L*$/i.test(text)) return Number(text.replace(/U?L*$/i, ''));
  const named = known.get(text);
  return named === undefined ? undefined : evaluate(named, known);
}

/** The constants of these headers, by name; `paths` are below /usr/include. */
export function readHeaders(paths: readonly string[]): (name: string) => number | undefined {
  const known: Expressions = new Map();
  for (const path of paths) {
    const text = plain(readFileSync(`/usr/include/${path}`, 'utf8'));
    readDefines(text, known);
    readEnumerations(text, known);
  }
  return (name) => (known.has(name) ? evaluate(name, known) : undefined);
}
