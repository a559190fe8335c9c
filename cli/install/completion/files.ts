/** The completions of all shells, and where each looks for its own. */
import type { VerbList } from '../../verb.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { wordsOf } from './words.ts';
import { zshCompletion } from './zsh.ts';

/** A directory for each shell. */
export interface CompletionPlaces {
  readonly bash: string;
  readonly fish: string;
  readonly zsh: string;
}

export async function completions(
  verbs: VerbList,
  { bash, fish, zsh }: CompletionPlaces,
): Promise<{ path: string; text: string }[]> {
  const words = await wordsOf(verbs);
  return [
    { path: `${bash}/netmoor`, text: bashCompletion(words) },
    { path: `${zsh}/_netmoor`, text: zshCompletion(words) },
    { path: `${fish}/netmoor.fish`, text: fishCompletion(words) },
  ];
}
