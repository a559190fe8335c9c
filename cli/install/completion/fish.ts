/** Completion for fish (complete(1)). */
import type { OptionWords, VerbWords } from './words.ts';

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}

const ACTIONS = {
  none: '',
  directory: " -x -a '(__fish_complete_directories)'",
  file: ' -r -F',
  other: ' -x',
} as const;

function optionLine(verb: string, { name, about, kind }: OptionWords): string {
  return `complete -c netmoor -n '__fish_seen_subcommand_from ${verb}' -l ${name}${ACTIONS[kind]} -d ${quoted(about)}\n`;
}

function verbLines({ name, about, operands, options }: VerbWords): string {
  const words = operands.length === 0 ? '' : wordsLine(name, operands);
  const own = `complete -c netmoor -f -n __fish_use_subcommand -a ${name} -d ${quoted(about)}\n`;
  return `${own}${words}${options.map((option) => optionLine(name, option)).join('')}`;
}

function wordsLine(verb: string, words: readonly string[]): string {
  return `complete -c netmoor -f -n '__fish_seen_subcommand_from ${verb}' -a ${quoted(words.join(' '))}\n`;
}

export function fishCompletion(verbs: readonly VerbWords[]): string {
  return `# Completion of netmoor for fish, from its verbs.\n${verbs.map(verbLines).join('')}`;
}
