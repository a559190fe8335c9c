/** Completion for bash, as bash-completion loads it by the command's name. */
import type { OptionWords, VerbWords } from './words.ts';

const HEAD = `# Completion of netmoor for bash, from its verbs.
_netmoor() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} verb= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case $word in -*) ;; *) verb=$word && break ;; esac
  done
  COMPREPLY=()
  case $verb in
`;

const TAIL = `  esac
}
complete -o bashdefault -o default -F _netmoor netmoor
`;

const ACTIONS = { directory: '-d', file: '-f', other: '-W ""' } as const;

function reply(words: string): string {
  return `COMPREPLY=($(compgen ${words} -- "$cur"))`;
}

function valueCases(options: readonly OptionWords[]): string[] {
  return (['directory', 'file', 'other'] as const).flatMap((kind) => {
    const names = options.filter((option) => option.kind === kind).map(({ name }) => `--${name}`);
    return names.length === 0 ? [] : [`        ${names.join(' | ')}) ${reply(ACTIONS[kind])} ;;`];
  });
}

function verbCase({ name, operands, options }: VerbWords): string {
  const words = [...operands, ...options.map((option) => `--${option.name}`)];
  const cases = [...valueCases(options), `        *) ${reply(`-W "${words.join(' ')}"`)} ;;`];
  return `    ${name})\n      case $prev in\n${cases.join('\n')}\n      esac\n      ;;\n`;
}

export function bashCompletion(verbs: readonly VerbWords[]): string {
  const first = [...verbs.map(({ name }) => name), '--help', '--version'];
  const none = `    "") ${reply(`-W "${first.join(' ')}"`)} ;;\n`;
  return `${HEAD}${none}${verbs.map(verbCase).join('')}${TAIL}`;
}
