/**
 * How many cells of a terminal a text takes: names of interfaces and containers are bytes to the kernel, and may be of
 * any script. After Unicode Standard Annex #11 (East Asian Width) and the Emoji_Presentation property.
 */

/** Wide and fullwidth blocks, as "first-last" code points in hexadecimal. */
const WIDE = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f200, 0x1f2ff],
  [0x20000, 0x3fffd],
] as const;

/** Mostly it is that, and nothing more has to be looked at. */
const PLAIN = /^[\x20-\x7e]*$/;

/**
 * Text that prints as what it is: what would steer the terminal, or turn the reading direction, becomes question marks.
 */
export function printable(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, '?');
}

/** Marks that join the character before them, and format characters. */
function takesNoCell(character: string): boolean {
  return /^[\p{Mn}\p{Me}\p{Cf}]/u.test(character);
}

function isEmoji(character: string): boolean {
  return /^\p{Emoji_Presentation}/u.test(character);
}

/** Cells the text takes in a terminal. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (takesNoCell(character)) continue;
    const wide = isEmoji(character) || WIDE.some(([first, last]) => first <= code && code <= last);
    width += wide ? 2 : 1;
  }
  return width;
}

/** Filled up with spaces to so many cells. */
export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}
