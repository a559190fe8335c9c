/** The `netmoor` command: one verb of the list, its report as text or JSON. Only what the verb needs is loaded. */
import type { Answer } from '../lib/cni/dispatch.ts';
import { finish } from '../lib/cni/entry.ts';
import type { Environment } from '../lib/cni/environment.ts';
import type { World } from '../lib/cni/world.ts';
import { KINDS } from '../plugins/kinds.ts';
import type { KindList } from '../plugins/kinds.ts';
import { readArguments, unknownVerb, verbIn } from './arguments.ts';
import { UsageError } from './verb.ts';
import type { Report, Verb, VerbList } from './verb.ts';

export const VERBS: VerbList = {
  attach: {
    about: 'attach a network namespace to networks',
    load: async () => (await import('./verbs/attach.ts')).verb,
  },
  detach: {
    about: 'detach a network namespace from its networks',
    load: async () => (await import('./verbs/detach.ts')).verb,
  },
  exec: {
    about: 'run a command in the network of an attached container',
    load: async () => (await import('./verbs/exec.ts')).verb,
  },
  ls: {
    about: 'list the attachments of containers to networks',
    load: async () => (await import('./verbs/ls.ts')).verb,
  },
  leases: {
    about: 'list the addresses held, and how full the networks are',
    load: async () => (await import('./verbs/leases.ts')).verb,
  },
  networks: {
    about: 'list the networks and their subnets',
    load: async () => (await import('./verbs/networks.ts')).verb,
  },
  network: {
    about: "rewrite a network of the reference's plugins for netmoor's",
    load: async () => (await import('./verbs/network.ts')).verb,
  },
  import: {
    about: "take over running containers of the reference's plugins",
    load: async () => (await import('./verbs/import.ts')).verb,
  },
  show: { about: 'draw who is plugged in where', load: async () => (await import('./verbs/show.ts')).verb },
  check: {
    about: 'compare everything with what was promised',
    load: async () => (await import('./verbs/check.ts')).verb,
  },
  repair: {
    about: 'put back what is missing on the host',
    load: async () => (await import('./verbs/repair.ts')).verb,
  },
  gc: {
    about: 'clear away what containers that are gone left behind',
    load: async () => (await import('./verbs/gc.ts')).verb,
  },
  engine: {
    about: 'run the engine, or say what it does',
    load: async () => (await import('./verbs/engine.ts')).verb,
  },
  install: {
    about: 'put netmoor in place on this host',
    load: async () => (await import('./verbs/install.ts')).installOf(VERBS),
  },
  uninstall: {
    about: 'take away what install has written',
    load: async () => (await import('./verbs/uninstall.ts')).verb,
  },
  version: { about: 'say what this is', load: async () => (await import('./verbs/version.ts')).verb },
  help: {
    about: 'list the verbs, or say what one of them does',
    load: async () => (await import('./verbs/help.ts')).helpOn(VERBS),
  },
};

export interface CommandLine {
  /** Behind the program's name. */
  readonly args: readonly string[];
  /** Width of the terminal; undefined when there is none. */
  readonly columns: number | undefined;
  readonly environment: Environment;
}

function answerOf({ json, text, failed = false, notes = [] }: Report, asJson: boolean): Answer {
  const stdout = asJson ? `${JSON.stringify(json, undefined, 2)}\n` : text();
  return { exitCode: failed ? 1 : 0, stdout, stderr: notes.map((line) => `${line}\n`).join('') };
}

/** schemas/cli-error.schema.json; or one line that says what failed, and one that says what to do about it. */
async function refusal(error: unknown, asJson: boolean): Promise<Answer> {
  const { toCniError } = await import('../lib/cni/errors.ts');
  const { code, msg, details } = toCniError(error);
  const exitCode = error instanceof UsageError ? 2 : 1;
  if (asJson)
    return { exitCode, stdout: `${JSON.stringify({ code, msg, details }, undefined, 2)}\n`, stderr: '' };
  const lines = [`netmoor: ${msg}`, ...(details === '' ? [] : [`  ${details}`])];
  return {
    exitCode,
    stdout: '',
    stderr: lines.map((line) => `${line.replaceAll('\n', ' ')}\n`).join(''),
  };
}

async function runVerb(
  name: string,
  verb: Verb,
  { args, columns, environment }: CommandLine,
  world: World,
  kinds: KindList,
  note: (line: string) => void,
): Promise<Answer> {
  const { operands, command, switches, values } = readArguments(name, verb, args);
  const asJson = switches.has('json');
  if (switches.has('help')) {
    const { describeVerb } = await import('./verbs/help.ts');
    return answerOf(await describeVerb(name, { about: '', load: async () => verb }), asJson);
  }
  return answerOf(
    await verb.run({
      world,
      dataDir: values.get('data-dir')?.[0],
      operands,
      command,
      switches,
      values,
      columns,
      environment,
      kinds,
      note,
    }),
    asJson,
  );
}

/** Whether the caller reads JSON, told also from a command line that cannot be read otherwise. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? args.length : end).includes('--json');
}

/** `netmoor --help` and `netmoor --version` mean the verbs. */
function withVerb(args: readonly string[]): readonly string[] | undefined {
  if (verbIn(args) !== undefined) return args;
  if (args.includes('--version')) return ['version', ...args.filter((arg) => arg !== '--version')];
  if (args.includes('--help') || args.includes('-h'))
    return ['help', ...args.filter((arg) => arg !== '--help' && arg !== '-h')];
  return undefined;
}

/** Answers one command line. Never throws: what goes wrong is the answer. */
export async function answer(line: CommandLine, world: World, kinds: KindList = KINDS): Promise<Answer> {
  const notes: string[] = [];
  const noted = (given: Answer): Answer => ({
    ...given,
    stderr: notes.map((text) => `${text}\n`).join('') + given.stderr,
  });
  try {
    const args = withVerb(line.args);
    const name = verbIn(args ?? []);
    if (args === undefined || name === undefined) {
      if (wantsJson(line.args)) throw new UsageError('there is no verb', '"netmoor help" lists the verbs');
      const { stdout } = await answer({ ...line, args: ['help'] }, world, kinds);
      return { exitCode: 2, stdout: '', stderr: stdout };
    }
    const listed = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
    if (listed === undefined) throw unknownVerb(name, Object.keys(VERBS));
    const note = (text: string): void => void notes.push(text);
    return noted(await runVerb(name, await listed.load(), { ...line, args }, world, kinds, note));
  } catch (error) {
    return noted(await refusal(error, wantsJson(line.args)));
  }
}

/** Runs this process as the command. */
export async function runNetmoor(args: readonly string[], environment: Environment): Promise<never> {
  const { realWorld } = await import('../lib/cni/real-world.ts');
  const columns = process.stdout.isTTY ? process.stdout.columns : undefined;
  return finish(await answer({ args, columns, environment }, realWorld()));
}
