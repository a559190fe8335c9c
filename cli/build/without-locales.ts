/**
 * Takes the texts of all languages but English out of Node.js's ICU data, dictionaries and converters of other
 * encodings with them: a quarter of a package, once it is compressed. Nothing here formats dates or numbers for people;
 * whoever asks for such a locale gets the root's, as from a Node.js that was built with `--with-intl=small-icu`.
 *
 * The data is one constant (ICU source/common/udata.cpp, ucmndata.h): a header, the number of items, of each the
 * offsets of its name and its bytes, both from that number, sorted by name. What is taken out is left as zeros, which
 * cost nothing in archives, and as holes nothing on disk: moving the rest of the file is not for us.
 */
import { Executable } from './elf.ts';

/** ucmndata.h, MappedData: bytes of the header, then its magic. */
const MAGIC = 0x27da;

/** "lang/de_AT.res", "zh.res": of a language; resources of other names belong to all. */
const LANGUAGE = /^(?:[a-z]+\/)?([a-z]{2,3})(?:_[A-Za-z0-9_]+)?\.res$/;

const KEPT_LANGUAGE = 'en';

/** Names begin with that of the whole: "icudt78l/". */
function isKept(name: string): boolean {
  const item = name.slice(name.indexOf('/') + 1);
  if (item.endsWith('.cnv') || item.endsWith('.dict')) return false;
  // What each tree has; looks like the language "res".
  if (item.endsWith('res_index.res')) return true;
  const language = LANGUAGE.exec(item)?.[1];
  return language === undefined || language === KEPT_LANGUAGE;
}

interface Item {
  readonly name: string;
  readonly entry: Buffer;
  readonly start: number;
}

function itemsOf(file: Buffer, contents: number): Item[] {
  return Array.from({ length: file.readUInt32LE(contents) }, (_, index) => {
    const at = contents + 4 + index * 8;
    const name = contents + file.readUInt32LE(at);
    return {
      name: file.toString('latin1', name, file.indexOf(0, name)),
      entry: Buffer.from(file.subarray(at, at + 8)),
      start: contents + file.readUInt32LE(at + 4),
    };
  });
}

/** Changes the executable in `file`, a Node.js with ICU `version` ("78.2"); how many bytes are zero now. */
export function removeLocales(file: Buffer, version: string): number {
  const data = new Executable(file).symbol(`icudt${Number.parseInt(version, 10)}_dat`);
  if (file.readUInt16LE(data + 2) !== MAGIC) throw new Error('this Node.js has ICU data of another kind');
  const contents = data + file.readUInt16LE(data);
  const items = itemsOf(file, contents);
  let cleared = 0;
  for (const [index, { name, start }] of items.entries()) {
    // How long the last one is nothing says.
    const end = items[index + 1]?.start ?? start;
    if (isKept(name)) continue;
    file.fill(0, start, end);
    cleared += end - start;
  }
  const kept = items.filter(({ name }) => isKept(name));
  file.writeUInt32LE(kept.length, contents);
  for (const [index, { entry }] of kept.entries()) entry.copy(file, contents + 4 + index * 8);
  return cleared;
}
