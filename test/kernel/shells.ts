/** Shells that complete a command line as they do for a person: each finds what is installed for it by itself. */
import type { Test } from 'tap';
import { plainEnvironment } from './harness-process.ts';
import type { Host } from './harness.ts';

const SHELLS = ['bash', 'fish', 'zsh'] as const;

const HOME = '/run/home';

/** bash-completion(1) loads by the command's name; what it loads says what function answers. */
const BASH = `. /usr/share/bash-completion/bash_completion
_completion_loader netmoor
[[ $(complete -p netmoor) =~ -F\\ ([^ ]+) ]]
COMP_WORDS=(netmoor "$@") COMP_CWORD=$#
\${BASH_REMATCH[1]}
printf '%s\\n' "\${COMPREPLY[@]}"`;

/** complete(1): each word, and behind a tab what it is about. */
const FISH = 'complete -C "netmoor $argv"';

/** An interactive one at a terminal (zshmodules(1), zpty), whose ^X gives away what is on its command line. */
const ZSHRC = `PROMPT= RPROMPT=
autoload -U compinit && compinit -u -D
said() { print -r -- "<$BUFFER>"; BUFFER=; }
zle -N said && bindkey '^X' said
`;
const ZSH = `zmodload zsh/zpty
zpty shell zsh -d -i
zpty -n -w shell "netmoor $*"$'\\t\\x18'
zpty -r -m shell line '*<*>*'
print -r -- \${\${(z)\${\${line##*<}%%>*}}[-1]}`;

const COMMANDS: Readonly<Record<(typeof SHELLS)[number], readonly string[]>> = {
  bash: ['bash', '-c', BASH, 'bash'],
  fish: ['fish', '-c', FISH],
  zsh: ['zsh', '-fc', ZSH, 'zsh'],
};

/** What a shell makes of the last word of a command line, where there is one way to go on. */
async function completed(host: Host, shell: (typeof SHELLS)[number], ...words: string[]): Promise<string> {
  host.write(`${HOME}/.zshrc`, ZSHRC);
  const env = { ...plainEnvironment, HOME, TERM: 'dumb' };
  const said = await host.must([...COMMANDS[shell], ...words], { env });
  return said.replace(/\t.*/, '').trim();
}

/** Verbs, words and options, in every shell. */
export async function completes(t: Test, host: Host): Promise<void> {
  for (const shell of SHELLS) {
    t.equal(await completed(host, shell, 'uninst'), 'uninstall', shell);
    t.equal(await completed(host, shell, 'engine', 'stat'), 'status', shell);
    t.equal(await completed(host, shell, 'install', '--pre'), '--prefix', shell);
    t.equal(await completed(host, shell, 'help', 'rep'), 'repair', shell);
  }
}
