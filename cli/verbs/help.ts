/** netmoor help: the verbs, or one of them. */
import { COMMON_OPTIONS, unknownVerb } from '../arguments.ts';
import type { ListedVerb, Option, Report, Verb, VerbList } from '../verb.ts';

const WIDTH = 100;

/** Two columns: words, and what they mean. */
function twoColumns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([word]) => word.length));
  return rows.map(([word, meaning]) => `  ${word.padEnd(width)}  ${meaning}\n`).join('');
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each) => `${each}\n`).join('');
}

function formatOption({ name, value, about }: Option): readonly [string, string] {
  return [`--${name}${value === undefined ? '' : ` ${value}`}`, about];
}

function overview(verbs: VerbList): Report {
  const entries = Object.entries(verbs).map(([name, { about }]) => [name, about] as const);
  const text =
    'netmoor moors containers to the network.\n\nusage: netmoor VERB [OPTIONS]\n\n' +
    `${twoColumns(entries)}\n"netmoor VERB --help" says more about each.\n`;
  return { json: { verbs: entries.map(([name, about]) => ({ name, about })) }, text: () => text };
}

/** What one verb does, and its options. */
export async function describeVerb(name: string, listed: ListedVerb): Promise<Report> {
  const { about, operand, command, options } = await listed.load();
  const all = [...options, ...COMMON_OPTIONS];
  const words = all.map((option) => `[${formatOption(option)[0]}]${option.repeated ? '…' : ''}`);
  const usage = ['netmoor', name, operand, ...words, command && `-- ${command}`].filter(Boolean).join(' ');
  const text = `${wrap(about)}\nusage: ${usage}\n\n${twoColumns(all.map(formatOption))}`;
  return { json: { name, about, options: all }, text: () => text };
}

export function helpOn(verbs: VerbList): Verb {
  return {
    about: 'Lists the verbs, or says what one of them does.',
    operand: '[VERB]',
    options: [],
    run({ operands }) {
      const [name] = operands;
      if (name === undefined) return overview(verbs);
      const listed = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
      if (listed === undefined) throw unknownVerb(name, Object.keys(verbs));
      return describeVerb(name, listed);
    },
  };
}
