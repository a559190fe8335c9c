/** Manual pages in the language of mdoc(7). */

/** Text for mdoc: its escapes, and no line that would be a request. */
export function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(
      /[^\n\x20-\x7e]/g,
      (char) => `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replaceAll(/^([.'])/gm, '\\&$1');
}

/** Text of a paragraph, each sentence on a line of its own, as mdoc wants it. */
export function prose(text: string): string {
  const sentences = text
    .trim()
    .replaceAll(/\s+/g, ' ')
    .split(/(?<=[a-z0-9)"”][.?!]) (?=[A-Z"“])/);
  return sentences.map((sentence) => `${escaped(sentence)}\n`).join('');
}

/** The arguments of a macro: words in quotes, so that none is taken for a macro. */
export function words(text: string): string {
  return text
    .split(' ')
    .map((word) => `"${escaped(word).replaceAll('"', '""')}"`)
    .join(' ');
}

export interface Item {
  /** The line behind `.It`: macros and words. */
  readonly head: string;
  readonly about: string;
}

export function list(items: readonly Item[]): string {
  const lines = items.map(({ head, about }) => `.It ${head}\n${about === '' ? '' : prose(about)}`);
  return items.length === 0 ? '' : `.Bl -tag -width Ds\n${lines.join('')}.El\n`;
}

/** An option with two dashes, and what stands for its value. */
export function option(name: string, value?: string): string {
  return `Fl ${words(`-${name}`)}${value === undefined ? '' : ` Ar ${words(value)}`}`;
}

export interface Page {
  readonly name: string;
  readonly section: 1 | 8;
  /** One line, no full stop. */
  readonly about: string;
  /** Requests below SYNOPSIS. */
  readonly synopsis: string;
  /** Titles and texts in mdoc. */
  readonly sections: readonly (readonly [title: string, text: string])[];
  /** Pages with their sections. */
  readonly seeAlso: readonly (readonly [name: string, section: number])[];
}

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);

function dateOf(epoch: number): string {
  const date = new Date(epoch * 1000);
  return `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()}, ${date.getUTCFullYear()}`;
}

function referTo(pages: Page['seeAlso']): string {
  const sorted = pages.toSorted((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
  return sorted
    .map(([name, section], index) => `.Xr ${name} ${section}${index < sorted.length - 1 ? ' ,' : ''}\n`)
    .join('');
}

/** The page as a file. */
export function format(
  { name, section, about, synopsis, sections, seeAlso }: Page,
  version: string,
  epoch: number,
): string {
  const body = sections.map(([title, text]) => `.Sh ${title}\n${text}`).join('');
  return (
    `.Dd ${dateOf(epoch)}\n.Dt ${name.toUpperCase()} ${section}\n.Os netmoor ${version}\n` +
    `.Sh NAME\n.Nm ${name}\n.Nd ${escaped(about)}\n.Sh SYNOPSIS\n${synopsis}${body}.Sh SEE ALSO\n${referTo(seeAlso)}`
  );
}
