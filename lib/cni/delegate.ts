/**
 * Delegation to another plugin, such as a third-party IPAM (CNI specification 1.1.0, section 4): the same environment
 * and the same configuration, byte for byte. Synchronous, so that it can stand in an undo.
 */
import { NetmoorError, errorText, isErrno } from '../base/errors.ts';
import { decodeResult } from './decode-result.ts';
import type { CniRequest, Command } from './environment.ts';
import { CODE_OF_KIND, DelegateError } from './errors.ts';
import { isJsonObject, parseJson, parseJsonObject } from './json.ts';
import { pluginTypeProblem } from './names.ts';
import type { Context } from './plugin.ts';
import { quote } from './quote.ts';
import type { CniResult } from './result.ts';
import type { Outcome, Program, World } from './world.ts';

/** Longer than the reference's dhcp plugin tries (208 s), so that only a plugin that hangs is killed. */
const TIME_LIMIT = 240_000;

/**
 * While a plugin is being installed its file is open for writing and cannot be executed (ETXTBSY); nobody says when it
 * can.
 */
const BUSY_LIMIT = 5_000;
const BUSY_PAUSE = 50;

/**
 * The executable of a plugin: the first in CNI_PATH, else our own. Throws NetmoorError 'bad-config' or 'delegate'.
 */
export function findPlugin(type: string, path: readonly string[], world: World): Program {
  const problem = pluginTypeProblem(type);
  if (problem !== undefined)
    throw new NetmoorError('bad-config', `type of a plugin: ${problem}`, 'name a file in CNI_PATH');
  const files = path.map((directory) => `${directory.replace(/\/+$/, '')}/${type}`);
  const file = files.find((candidate) => world.isExecutable(candidate));
  const found = file === undefined ? world.ownProgram?.(type) : { file };
  if (found !== undefined) return found;
  const where = path.length === 0 ? 'CNI_PATH is empty' : `CNI_PATH is ${quote(path.join(':'))}`;
  throw new NetmoorError(
    'delegate',
    `plugin ${quote(type)} was not found`,
    `${where}; install the plugin in one of its directories`,
  );
}

/** As much of a context as running another plugin takes. */
export interface Delegation {
  readonly request: Pick<CniRequest, 'environment' | 'stdin' | 'path'>;
  readonly world: World;
  readonly note: (line: string) => void;
}

function execute(program: Program, command: Command | 'VERSION', { request, world }: Delegation): Outcome {
  const execution = {
    environment: { ...request.environment, CNI_COMMAND: command },
    stdin: request.stdin,
    timeLimit: TIME_LIMIT,
  };
  const deadline = world.monotonic() + BUSY_LIMIT;
  for (;;) {
    try {
      return world.execute(program, execution);
    } catch (error) {
      if (isErrno(error, 'ETXTBSY') && world.monotonic() < deadline) {
        world.pause(BUSY_PAUSE);
        continue;
      }
      const advice = 'check that it is a program for this machine';
      throw new NetmoorError(
        'delegate',
        `plugin ${quote(program.file)} could not be started: ${errorText(error)}`,
        advice,
        { cause: error },
      );
    }
  }
}

/** From here on every plugin has codes of its own (specification, section 5 "Error"); ours mean something else. */
const PRIVATE_CODES = 100;

/** The error a plugin printed, else its stderr, else how it ended. */
export function pluginError(
  type: string,
  command: Command | 'VERSION',
  { exitCode, killedBy, stdout, stderr }: Outcome,
): DelegateError {
  const who = `${type} ${command}`;
  const ended =
    exitCode === undefined
      ? `was killed (${killedBy ?? 'no reason given'})`
      : `ended with exit code ${exitCode}`;
  try {
    const error = parseJson(stdout, 'its error');
    if (
      isJsonObject(error) &&
      typeof error['code'] === 'number' &&
      Number.isInteger(error['code']) &&
      error['code'] > 0
    ) {
      const { code, msg, details } = error;
      const text = typeof msg === 'string' && msg !== '' ? msg : ended;
      return new DelegateError(code, `${who}: ${text}`, typeof details === 'string' ? details : '');
    }
  } catch (error) {
    if (!(error instanceof NetmoorError)) throw error;
  }
  return new DelegateError(CODE_OF_KIND.delegate, `${who} ${ended}`, stderr.trim());
}

/** The same as an error of ours: a code of the plugin's own becomes part of the text. */
export function delegateError(type: string, command: Command | 'VERSION', outcome: Outcome): DelegateError {
  const error = pluginError(type, command, outcome);
  if (error.code < PRIVATE_CODES || error.code === CODE_OF_KIND.delegate) return error;
  return new DelegateError(CODE_OF_KIND.delegate, `${error.message} (its code ${error.code})`, error.details);
}

/**
 * Runs a plugin to its end and returns its stdout. Throws DelegateError when it fails (made by pluginError for who only
 * reports on it), NetmoorError when it cannot be run.
 */
export function runDelegate(
  type: string,
  command: Command | 'VERSION',
  context: Delegation,
  errorOf = delegateError,
): Buffer {
  const program = findPlugin(type, context.request.path, context.world);
  const outcome = execute(program, command, context);
  if (outcome.stderr.trim() !== '') context.note(outcome.stderr.trimEnd());
  if (outcome.exitCode !== 0) throw errorOf(type, command, outcome);
  return outcome.stdout;
}

/** DEL of the delegate after a failed ADD; its own failure is only noted, the first error is the one to report. */
function takeBack(type: string, context: Delegation): void {
  try {
    runDelegate(type, 'DEL', context);
  } catch (error) {
    context.note(`${type} DEL after the failed ADD: ${errorText(error)}`);
  }
}

/**
 * ADD of the delegate; when it fails, or answers what is no result, DEL of it. Throws NetmoorError or DelegateError.
 */
export function delegateAdd(type: string, context: Delegation): CniResult {
  findPlugin(type, context.request.path, context.world);
  try {
    const stdout = runDelegate(type, 'ADD', context);
    return decodeResult(parseJsonObject(stdout, `the result of ${type}`), `result of ${type}`);
  } catch (error) {
    takeBack(type, context);
    throw error;
  }
}

/**
 * A plugin that does not speak the configuration's version has never attached anything by it: there is nothing to
 * release.
 */
export function delegateDel(type: string, context: Delegation): void {
  try {
    runDelegate(type, 'DEL', context);
  } catch (error) {
    if (!(error instanceof DelegateError) || error.code !== CODE_OF_KIND['bad-version']) throw error;
    context.note(error.message);
  }
}

export function delegateCheck(type: string, context: Delegation): void {
  runDelegate(type, 'CHECK', context);
}

/** Whether a plugin says that it knows this version of the specification. */
function knowsVersion(type: string, version: string, context: Context): boolean {
  const stdin = Buffer.from(JSON.stringify({ cniVersion: version }));
  const stdout = runDelegate(type, 'VERSION', { ...context, request: { ...context.request, stdin } });
  const { supportedVersions } = parseJsonObject(stdout, `the versions of ${type}`);
  return Array.isArray(supportedVersions) && supportedVersions.includes(version);
}

/**
 * An older plugin takes GC for a mistake; it has nothing to do for it, since it refuses the configuration's version
 * anyway.
 */
export function delegateGc(type: string, context: Context): void {
  const { cniVersion } = context.config;
  if (knowsVersion(type, cniVersion, context)) runDelegate(type, 'GC', context);
  else context.note(`${type} does not know CNI ${cniVersion}: GC is not forwarded`);
}

/** Throws NetmoorError('not-available') when the plugin would refuse ADD for the configuration's version. */
export function delegateStatus(type: string, context: Context): void {
  const { cniVersion } = context.config;
  if (knowsVersion(type, cniVersion, context)) return void runDelegate(type, 'STATUS', context);
  const advice = `install a newer ${type}, or set "cniVersion" to one that it supports`;
  throw new NetmoorError('not-available', `plugin ${quote(type)} does not know CNI ${cniVersion}`, advice);
}
