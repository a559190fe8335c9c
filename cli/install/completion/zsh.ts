/** Completion for zsh, a function of its fpath (zshcompsys(1)). */
import type { OptionWords, VerbWords } from './words.ts';

const HEAD = `#compdef netmoor
# Completion of netmoor for zsh, from its verbs.
_netmoor() {
  local -a verbs
`;

const ACTIONS = { directory: '_files -/', file: '_files', other: ' ' } as const;

/** In single quotes, where of the specification brackets and colons have a meaning. */
function quoted(text: string): string {
  return text.replaceAll(/[[\]:\\]/g, '\\$&').replaceAll("'", "'\\''");
}

function optionSpec({ name, about, value, kind, repeated }: OptionWords): string {
  const action = kind === 'none' ? '' : `:${quoted(value ?? '')}:${ACTIONS[kind]}`;
  return `'${repeated ? '*' : ''}--${name}[${quoted(about)}]${action}'`;
}

function verbCase({ name, operands, options }: VerbWords): string {
  const rest =
    operands.length === 0 ? "'*::operand:_files'" : `'1:word:(${operands.join(' ')})' '*:file:_files'`;
  const specs = [...options.map(optionSpec), rest].map((spec) => ` \\\n        ${spec}`).join('');
  return `    ${name})\n      _arguments${specs}\n      ;;\n`;
}

export function zshCompletion(verbs: readonly VerbWords[]): string {
  const list = verbs.map(({ name, about }) => `    '${name}:${quoted(about)}'\n`).join('');
  return `${HEAD}  verbs=(
${list}  )
  if ((CURRENT == 2)); then
    _describe verb verbs
    return
  fi
  local verb=$words[2]
  shift words
  ((CURRENT--))
  case $verb in
${verbs.map(verbCase).join('')}  esac
}
_netmoor "$@"
`;
}
