/**
 * A request's parameters from the process environment (CNI specification 1.1.0, section 2 "Parameters"). Which are
 * required follows the specification and, where runtimes rely on it, the reference library's skel: CNI_PATH for all but
 * DEL, which must succeed with as little as possible.
 */
import { NetmoorError } from '../base/errors.ts';
import { nearest } from '../base/suggest.ts';
import { containerIdProblem, interfaceNameProblem } from './names.ts';
import { quote } from './quote.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type Command = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC';

/** What a plugin is asked to do, checked. */
export interface CniRequest {
  readonly command: Command;
  /** Empty for STATUS and GC, like `netns` and `ifname`. */
  readonly containerId: string;
  /** Empty when the runtime gave none (DEL). */
  readonly netns: string;
  readonly ifname: string;
  /** CNI_ARGS by key, as written. */
  readonly args: ReadonlyMap<string, string>;
  /** Directories to look for delegated plugins in. */
  readonly path: readonly string[];
  /** CNI_NETNS may be the namespace the plugin itself works in. */
  readonly netnsOverride: boolean;
  /** The configuration as received, for delegates. */
  readonly stdin: Buffer;
  /** The whole environment as received, for delegates. */
  readonly environment: Environment;
}

export type Parameters = Omit<CniRequest, 'stdin'>;

const REQUIRED: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: ['CNI_PATH'],
  STATUS: ['CNI_PATH'],
};

const COMMANDS = Object.keys(REQUIRED);

function isCommand(text: string): text is Command {
  return Object.hasOwn(REQUIRED, text);
}

function readCommand(text: string): Command {
  if (isCommand(text)) return text;
  const meant = nearest(text, COMMANDS);
  throw new NetmoorError(
    'bad-environment',
    `CNI_COMMAND ${quote(text)} is unknown`,
    `${meant === undefined ? '' : `did you mean ${meant}? `}known are ${COMMANDS.join(', ')} and VERSION`,
  );
}

function requireAll(command: Command, environment: Environment): void {
  const missing = REQUIRED[command].filter((name) => !environment[name]);
  if (missing.length === 0) return;
  throw new NetmoorError(
    'bad-environment',
    `required environment variables missing: ${missing.join(', ')}`,
    `${command} needs them; a container runtime sets them before it starts a plugin`,
  );
}

function requireValid(command: Command, environment: Environment): void {
  const problems: string[] = [];
  const look = (name: string, problemOf: (text: string) => string | undefined): void => {
    const problem = REQUIRED[command].includes(name) ? problemOf(environment[name] ?? '') : undefined;
    if (problem !== undefined) problems.push(`${name}: ${problem}`);
  };
  look('CNI_CONTAINERID', containerIdProblem);
  look('CNI_IFNAME', interfaceNameProblem);
  look('CNI_NETNS', (path) => (path.startsWith('/') ? undefined : `${quote(path)} is not an absolute path`));
  if (problems.length === 0) return;
  throw new NetmoorError(
    'bad-environment',
    `invalid environment variables: ${problems.join('; ')}`,
    'correct them and try again',
  );
}

/**
 * Reads "K=V;K=V". A value may contain "=". Pairs without a key or without "=" are an error, but not for DEL. Unknown
 * keys are kept, for whoever knows them; those whom the reference has refuse them do so (requested.ts).
 */
function readArgs(command: Command, text: string): Map<string, string> {
  const args = new Map<string, string>();
  const malformed: string[] = [];
  for (const pair of text.split(';')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals > 0) args.set(pair.slice(0, equals), pair.slice(equals + 1));
    else malformed.push(pair);
  }
  if (malformed.length > 0 && (command === 'ADD' || command === 'CHECK')) {
    throw new NetmoorError(
      'bad-environment',
      `CNI_ARGS holds what is no KEY=VALUE pair: ${malformed.map(quote).join(', ')}`,
      'write CNI_ARGS as KEY=VALUE pairs separated by ";"',
    );
  }
  return args;
}

function isOn(text: string | undefined): boolean {
  return text === '1' || text?.toLowerCase() === 'true';
}

/** Checks everything but stdin. Throws NetmoorError('bad-environment') naming every variable concerned. */
export function readParameters(environment: Environment): Parameters {
  const command = readCommand(environment['CNI_COMMAND'] ?? '');
  requireAll(command, environment);
  requireValid(command, environment);
  const attachment = command !== 'GC' && command !== 'STATUS';
  const own = (name: string): string => (attachment ? (environment[name] ?? '') : '');
  return {
    command,
    containerId: own('CNI_CONTAINERID'),
    netns: own('CNI_NETNS'),
    ifname: own('CNI_IFNAME'),
    args: readArgs(command, own('CNI_ARGS')),
    path: (environment['CNI_PATH'] ?? '').split(':').filter((directory) => directory !== ''),
    netnsOverride: isOn(environment['CNI_NETNS_OVERRIDE']),
    environment,
  };
}
