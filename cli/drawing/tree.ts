/** Trees drawn with lines: a box at the root, branches below it, facts wrapped to the width there is. */
import { padTo, printable, widthOf } from '../text-width.ts';

export interface Node {
  /** Never broken. */
  readonly title: string;
  /** Behind the title, separated by commas, on as many lines as they need. */
  readonly facts: readonly string[];
  /** Below, each on a line of its own. */
  readonly remarks: readonly string[];
  readonly children: readonly Node[];
}

interface Strokes {
  readonly corners: readonly [string, string, string, string];
  readonly across: string;
  readonly down: string;
  /** Where the branches leave the box. */
  readonly root: string;
  readonly branch: string;
  readonly last: string;
}

const BOX: Strokes = {
  corners: ['┌', '┐', '└', '┘'],
  across: '─',
  down: '│',
  root: '┬',
  branch: '├─ ',
  last: '└─ ',
};
const ASCII: Strokes = {
  corners: ['+', '+', '+', '+'],
  across: '-',
  down: '|',
  root: '+',
  branch: '|- ',
  last: '`- ',
};

const NARROWEST = 40;

/** Where lines below a title begin, counted from the title. */
const REMARK_INDENT = '   ';

/**
 * The title and its facts, the first beside it; further lines begin under the first fact, when that leaves them room.
 */
function wrapFacts(title: string, facts: readonly string[], width: number): string[] {
  const pieces = facts.map((fact, index) => (index === facts.length - 1 ? fact : `${fact},`));
  const [first, ...rest] = pieces;
  if (first === undefined) return [title];
  const column = widthOf(title) + 2;
  const indent = column <= width / 2 ? ' '.repeat(column) : REMARK_INDENT;
  let line = `${title}  ${first}`;
  const lines: string[] = [];
  for (const piece of rest) {
    if (widthOf(line) + 1 + widthOf(piece) <= width) {
      line += ` ${piece}`;
      continue;
    }
    lines.push(line);
    line = indent + piece;
  }
  return [...lines, line];
}

/** A node's own lines; all but the first begin with spaces. */
function textOf({ title, facts, remarks }: Node, width: number): string[] {
  const below = remarks.map((remark) => REMARK_INDENT + printable(remark));
  return [...wrapFacts(printable(title), facts.map(printable), width), ...below];
}

function branches(children: readonly Node[], strokes: Strokes, width: number): string[] {
  return children.flatMap((child, index) => {
    const isLast = index === children.length - 1;
    const stem = isLast ? '   ' : `${strokes.down}  `;
    const [title = '', ...more] = textOf(child, width - stem.length);
    // Beside what stands below the title runs the line to the node's children.
    const beside = child.children.length > 0 ? strokes.down : ' ';
    return [
      `${isLast ? strokes.last : strokes.branch}${title}`,
      ...more.map((line) => `${stem}${beside}${line.slice(1)}`),
      ...branches(child.children, strokes, width - stem.length).map((line) => `${stem}${line}`),
    ];
  });
}

function box(root: Node, strokes: Strokes): string[] {
  const lines = [...root.facts, ...root.remarks].map(printable);
  const title = ` ${printable(root.title)} `;
  const inner = Math.max(widthOf(title) + 1, ...lines.map((line) => widthOf(line) + 2));
  const [topLeft, topRight, bottomLeft, bottomRight] = strokes.corners;
  const floor =
    root.children.length > 0 ? strokes.root + strokes.across.repeat(inner - 1) : strokes.across.repeat(inner);
  return [
    `${topLeft}${title}${strokes.across.repeat(inner - widthOf(title))}${topRight}`,
    ...lines.map((line) => `${strokes.down} ${padTo(line, inner - 2)} ${strokes.down}`),
    `${bottomLeft}${floor}${bottomRight}`,
  ];
}

/** The whole drawing, lines ending in newlines. `columns`: the width to keep to, where words allow. */
export function draw(root: Node, options: { readonly ascii: boolean; readonly columns: number }): string {
  const strokes = options.ascii ? ASCII : BOX;
  const width = Math.max(NARROWEST, options.columns);
  const tree = branches(root.children, strokes, width - 1).map((line) => ` ${line}`);
  return [...box(root, strokes), ...tree].map((line) => `${line.trimEnd()}\n`).join('');
}
