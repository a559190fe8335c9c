/** The completions of all shells, and where each looks for its own. */
import type { VerbList } from '../../verb.ts';
import type { Layout } from '../layout.ts';
import { bashCompletion } from './bash.ts';
import { fishCompletion } from './fish.ts';
import { wordsOf } from './words.ts';
import { zshCompletion } from './zsh.ts';

export async function completions(
  verbs: VerbList,
  { share }: Pick<Layout, 'share'>,
): Promise<{ path: string; text: string }[]> {
  const words = await wordsOf(verbs);
  return [
    { path: `${share}/bash-completion/completions/netmoor`, text: bashCompletion(words) },
    { path: `${share}/zsh/site-functions/_netmoor`, text: zshCompletion(words) },
    { path: `${share}/fish/vendor_completions.d/netmoor.fish`, text: fishCompletion(words) },
  ];
}
