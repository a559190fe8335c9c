/** Tables for people: columns as wide as their widest cell, cells of several lines, no lines drawn. */
import { padTo, printable, widthOf } from './text-width.ts';

/** A cell of several values has one line for each. */
export type Cell = string | readonly string[];

const GAP = '  ';

function linesOf(cell: Cell): readonly string[] {
  return (typeof cell === 'string' ? [cell] : cell).map(printable);
}

/** The lines of a row: as many as its tallest cell has. */
function unfold(row: readonly Cell[]): string[][] {
  const cells = row.map(linesOf);
  const height = Math.max(1, ...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, index) => cells.map((lines) => lines[index] ?? ''));
}

/** Lines ending in newlines, without trailing spaces; a table without rows is its headings. */
export function formatTable(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = [[...headings], ...rows.flatMap(unfold)];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))));
  const format = (line: readonly string[]): string =>
    line.map((text, column) => padTo(text, widths[column] ?? 0)).join(GAP);
  return lines.map((line) => `${format(line).trimEnd()}\n`).join('');
}
