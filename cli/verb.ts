/** What a verb of the `netmoor` command is: words, options and a function from a context to a report. */
import { NetmoorError } from '../lib/base/errors.ts';
import type { Environment } from '../lib/cni/environment.ts';
import type { World } from '../lib/cni/world.ts';
import type { KindList } from '../plugins/kinds.ts';

export interface Option {
  /** Without its dashes. */
  readonly name: string;
  /** What stands for the value in the help; a switch has none. */
  readonly value?: string;
  /** May be given several times. */
  readonly repeated?: boolean;
  readonly about: string;
}

export interface VerbContext {
  readonly world: World;
  /** `--data-dir`; undefined: all the stores of this host. */
  readonly dataDir: string | undefined;
  readonly operands: readonly string[];
  /** What stands behind "--". */
  readonly command: readonly string[];
  /** Names of the switches given. */
  readonly switches: ReadonlySet<string>;
  /** What the verb's other options were given, at least one value each. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly environment: Environment;
  /** The main plugins there are. */
  readonly kinds: KindList;
  /** A line for stderr, printed whether the verb succeeds or fails. */
  readonly note: (line: string) => void;
  /** Width of the terminal; undefined when there is none. */
  readonly columns: number | undefined;
}

export interface Report {
  /** What --json prints. */
  readonly json: unknown;
  /** What people read, lines ending in newlines. */
  readonly text: () => string;
  /** The command did its work, and the answer is no: exit code 1. */
  readonly failed?: boolean;
  /** Lines for stderr: what other programs said on the way. */
  readonly notes?: readonly string[];
}

export interface Verb {
  /** A sentence or two for `netmoor VERB --help`. */
  readonly about: string;
  /** "[NETWORK|CONTAINER]"; absent: the verb takes none. */
  readonly operand?: string;
  /** It takes any number of operands. */
  readonly manyOperands?: boolean;
  /** "COMMAND…": it takes a command line behind "--". */
  readonly command?: string;
  /** Beside those that all verbs have. */
  readonly options: readonly Option[];
  run(context: VerbContext): Report | Promise<Report>;
}

/** A verb as the list knows it before anything of it is loaded. */
export interface ListedVerb {
  readonly about: string;
  readonly load: () => Promise<Verb>;
}

export type VerbList = Readonly<Record<string, ListedVerb>>;

/** Used wrongly: exit code 2 instead of 1. */
export class UsageError extends NetmoorError {
  constructor(message: string, advice: string) {
    super('bad-config', message, advice);
    this.name = 'UsageError';
  }
}
