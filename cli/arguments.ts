/** The command line as minimist reads it, and refusals that name the nearest word there is. */
import minimist from 'minimist';
import { nearest } from '../lib/base/suggest.ts';
import { UsageError } from './verb.ts';
import type { Option, Verb } from './verb.ts';

export const COMMON_OPTIONS: readonly Option[] = [
  { name: 'json', about: 'print JSON' },
  { name: 'data-dir', value: 'DIR', about: 'use the lease store in DIR alone' },
  { name: 'help', about: 'say what the verb does' },
];

export interface Arguments {
  readonly operands: readonly string[];
  /** What stands behind "--". */
  readonly command: readonly string[];
  readonly switches: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

function read(
  args: readonly string[],
  options: readonly Option[],
  unknown: (word: string) => void,
): minimist.ParsedArgs {
  const named = (withValue: boolean): string[] =>
    options.filter((option) => (option.value !== undefined) === withValue).map((option) => option.name);
  return minimist([...args], {
    '--': true,
    boolean: named(false),
    // Operands stay text: a container may be called 007.
    string: ['_', ...named(true)],
    alias: { help: 'h' },
    unknown: (word) => {
      if (!word.startsWith('-') || word === '-') return true;
      unknown(word);
      return false;
    },
  });
}

/** The first word that is no option: which verb is meant. */
export function verbIn(args: readonly string[]): string | undefined {
  return read(args, COMMON_OPTIONS, () => {})._[0];
}

function didYouMean(meant: string | undefined): string {
  return meant === undefined ? '' : `did you mean ${meant}? `;
}

export function unknownVerb(word: string, known: readonly string[]): UsageError {
  return new UsageError(
    `unknown verb ${word}`,
    `${didYouMean(nearest(word, known))}"netmoor help" lists the verbs`,
  );
}

function unknownOption(verb: string, word: string, options: readonly Option[]): UsageError {
  const name = word.split('=')[0] ?? word;
  const meant = nearest(
    name,
    options.map((option) => `--${option.name}`),
  );
  return new UsageError(
    `${verb} has no option ${name}`,
    `${didYouMean(meant)}"netmoor ${verb} --help" lists its options`,
  );
}

function valuesOf(
  verb: string,
  parsed: minimist.ParsedArgs,
  options: readonly Option[],
): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const { name, value, repeated = false } of options) {
    const given: unknown = parsed[name];
    if (value === undefined || given === undefined) continue;
    const all = (Array.isArray(given) ? given : [given]).map(String);
    if (all.length > 1 && !repeated)
      throw new UsageError(`--${name} is given more than once`, 'give it once');
    if (all.includes(''))
      throw new UsageError(`--${name} needs a value`, `write netmoor ${verb} --${name} ${value}`);
    values.set(name, all);
  }
  return values;
}

/** Reads the arguments of a verb, itself among them. Throws UsageError. */
export function readArguments(
  name: string,
  verb: Pick<Verb, 'operand' | 'manyOperands' | 'command' | 'options'>,
  args: readonly string[],
): Arguments {
  const options = [...COMMON_OPTIONS, ...verb.options];
  const unknown: string[] = [];
  const parsed = read(args, options, (word) => unknown.push(word));
  const [stranger] = unknown;
  if (stranger !== undefined) throw unknownOption(name, stranger, options);
  const operands = parsed._.slice(1);
  const command = parsed['--'] ?? [];
  const most = verb.manyOperands ? Number.POSITIVE_INFINITY : verb.operand === undefined ? 0 : 1;
  const surplus = operands.slice(most)[0] ?? (verb.command === undefined ? command[0] : undefined);
  if (surplus !== undefined) {
    throw new UsageError(
      `${name} does not know what to do with ${surplus}`,
      `"netmoor ${name} --help" says what it takes`,
    );
  }
  const switches = options.filter((option) => option.value === undefined && parsed[option.name] === true);
  return {
    operands,
    command,
    switches: new Set(switches.map((option) => option.name)),
    values: valuesOf(name, parsed, options),
  };
}
