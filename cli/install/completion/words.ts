/** What a shell is to complete, from the verbs' own definitions. */
import { COMMON_OPTIONS } from '../../arguments.ts';
import type { Option, VerbList } from '../../verb.ts';

/** What the value of an option is. */
export type ValueKind = 'none' | 'directory' | 'file' | 'other';

export interface OptionWords {
  readonly name: string;
  readonly about: string;
  readonly value: string | undefined;
  readonly kind: ValueKind;
  readonly repeated: boolean;
}

export interface VerbWords {
  readonly name: string;
  readonly about: string;
  /** Words that its operand may be. */
  readonly operands: readonly string[];
  readonly options: readonly OptionWords[];
}

function kindOf({ value }: Option): ValueKind {
  if (value === undefined) return 'none';
  if (/^DIRS?$/.test(value)) return 'directory';
  return /FILE|PATH/.test(value) ? 'file' : 'other';
}

function wordsOfOption(option: Option): OptionWords {
  const { name, about, value, repeated = false } = option;
  return { name, about, value, kind: kindOf(option), repeated };
}

/** "[status|stop]" are two words, "migrate FILE" begins with one; names in capitals stand for something else. */
function operandsOf(operand: string | undefined, verbs: readonly string[]): readonly string[] {
  if (operand === '[VERB]') return verbs;
  const first = operand?.replaceAll(/[[\]]/g, '').split(' ')[0] ?? '';
  return first.split('|').filter((word) => /^[a-z][a-z-]*$/.test(word));
}

export async function wordsOf(verbs: VerbList): Promise<VerbWords[]> {
  const names = Object.keys(verbs);
  return Promise.all(
    Object.entries(verbs).map(async ([name, listed]) => {
      const { operand, options } = await listed.load();
      return {
        name,
        about: listed.about,
        operands: operandsOf(operand, names),
        options: [...options, ...COMMON_OPTIONS].map(wordsOfOption),
      };
    }),
  );
}
