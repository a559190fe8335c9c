/** Options of Node.js, which no argument of ours may be taken for. */
import { spawnSync } from 'node:child_process';
import { NODE } from '../cli/build/paths.ts';

/** Every option word in a text of help. */
export function optionsIn(text: string): string[] {
  return [...new Set(text.match(/(?<![\w-])--?[a-z][a-z0-9-]*/g))];
}

function help(option: string): string {
  return spawnSync(NODE, [option], { encoding: 'utf8' }).stdout;
}

/** The options of Node.js itself. */
export function nodeOptions(): string[] {
  return [...new Set([...optionsIn(help('--help')), ...process.allowedNodeEnvironmentFlags])];
}

/** Those of V8. */
export function v8Options(): string[] {
  return optionsIn(help('--v8-options'));
}

/** Each of `words` alone, with a value of its own, and before a value. */
export function inEveryForm(words: readonly string[]): string[][] {
  return [[...words], words.map((word) => `${word}=/absent`), words.flatMap((word) => [word, '/absent'])];
}
