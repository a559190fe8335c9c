/**
 * The hook's arguments, as config.json or hooks.d lists them: a stage, settings that only who installs the hook may
 * choose, and options that annotations can choose as well.
 */
import minimist from 'minimist';
import { NetmoorError } from '../../lib/base/errors.ts';
import { nearest } from '../../lib/base/suggest.ts';
import { quote } from '../../lib/cni/quote.ts';
import optionsSchema from '../../schemas/oci-options.schema.json' with { type: 'json' };

/** Options as text by key; the keys are those of schemas/oci-options.schema.json. */
export type OptionTexts = Readonly<Record<string, string>>;

export interface Flags {
  readonly stage?: string;
  readonly help: boolean;
  readonly envFiles: readonly string[];
  readonly confDirs: readonly string[];
  readonly cniPath: readonly string[];
  readonly stateDir?: string;
  readonly log?: string;
  readonly options: OptionTexts;
}

export const OPTION_KEYS: readonly string[] = Object.keys(optionsSchema.properties);

/** A flag may be repeated: the values make a list. */
const SINGULAR: Readonly<Record<string, string>> = {
  network: 'networks',
  port: 'ports',
  alias: 'aliases',
  file: 'files',
  'dns-option': 'dns-options',
};

const SETTINGS = ['env-file', 'conf-dir', 'cni-path', 'state-dir', 'log'];
const STRINGS = [...SETTINGS, ...OPTION_KEYS, ...Object.keys(SINGULAR)];

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

function unknownFlag(argument: string): never {
  const flag = argument.replace(/=.*$/s, '');
  const meant = nearest(flag.replace(/^-+/, ''), STRINGS);
  refuse(
    `unknown flag ${quote(flag)}`,
    meant === undefined ? 'see "netmoor-hook --help"' : `did you mean --${meant}?`,
  );
}

function valuesOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string' && item !== '');
}

function single(name: string, values: readonly string[]): string | undefined {
  if (values.length > 1) refuse(`--${name} is given ${values.length} times`, 'give it once');
  return values[0];
}

/** Reads the arguments behind the program's name. Throws NetmoorError('bad-config'). */
export function parseFlags(args: readonly string[]): Flags {
  const parsed = minimist([...args], {
    string: STRINGS,
    boolean: ['help'],
    unknown: (argument) => (argument.startsWith('-') ? unknownFlag(argument) : true),
  });
  if (parsed._.length > 1)
    refuse(`there is more than one stage: ${parsed._.map(quote).join(', ')}`, 'flags begin with "--"');
  const given = (name: string): string[] => valuesOf(parsed[name]);
  const options: Record<string, string> = {};
  for (const key of OPTION_KEYS) {
    const also = Object.keys(SINGULAR).find((name) => SINGULAR[name] === key);
    const values = [...given(key), ...(also === undefined ? [] : given(also))];
    if (values.length > 0) options[key] = values.join(',');
  }
  const stage = parsed._[0];
  const stateDir = single('state-dir', given('state-dir'));
  const log = single('log', given('log'));
  return {
    ...(stage === undefined ? {} : { stage }),
    help: parsed['help'] === true,
    envFiles: given('env-file'),
    confDirs: given('conf-dir'),
    cniPath: given('cni-path')
      .flatMap((list) => list.split(':'))
      .filter((directory) => directory !== ''),
    ...(stateDir === undefined ? {} : { stateDir }),
    ...(log === undefined ? {} : { log }),
    options,
  };
}
