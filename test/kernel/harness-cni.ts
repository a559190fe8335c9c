/**
 * Running CNI plugins as a runtime does: environment, configuration on standard input, answer on standard output
 * (CNI spec 1.1.0, section 2 "Execution Protocol").
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { plainEnvironment } from './harness-process.ts';
import type { Background, Outcome } from './harness-process.ts';
import type { Place } from './harness-place.ts';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

/** Debian's containernetworking-plugins. */
export const REFERENCE_PLUGINS = '/usr/lib/cni';

/** The project's own executables, as `npm run build` leaves them. */
export const OWN_PLUGINS = fileURLToPath(new URL('../../dist/bin', import.meta.url));

export interface CniCall {
  /** The configuration: an object, or bytes to be sent as they are. */
  readonly config?: unknown;
  readonly containerId?: string;
  readonly ifname?: string;
  /** The path the plugin is given; left out of the environment when undefined. */
  readonly netns?: string;
  readonly args?: string;
  readonly path?: string;
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

export interface CniAnswer extends Outcome {
  /** The answer parsed; undefined when standard output was empty. */
  readonly json: CniJson | undefined;
}

/** A result or an error of any spec version. */
export interface CniJson {
  readonly cniVersion?: string;
  readonly supportedVersions?: readonly string[];
  readonly code?: number;
  readonly msg?: string;
  readonly details?: string;
  readonly interfaces?: readonly {
    readonly name: string;
    readonly mac?: string;
    readonly mtu?: number;
    readonly sandbox?: string;
  }[];
  readonly ips?: readonly {
    readonly address: string;
    readonly gateway?: string;
    readonly interface?: number;
  }[];
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
  readonly dns?: { readonly nameservers?: readonly string[]; readonly search?: readonly string[] };
  readonly [key: string]: unknown;
}

/** Where the executable of a plugin type is: the project's own before the reference's. */
export function findPlugin(type: string): string {
  if (type.includes('/')) return type;
  const own = `${OWN_PLUGINS}/${type}`;
  return existsSync(own) ? own : `${REFERENCE_PLUGINS}/${type}`;
}

function environment(command: CniCommand, call: CniCall): Record<string, string> {
  const variables = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: call.containerId,
    CNI_IFNAME: call.ifname,
    CNI_NETNS: call.netns,
    CNI_ARGS: call.args,
    CNI_PATH: call.path ?? `${OWN_PLUGINS}:${REFERENCE_PLUGINS}`,
  };
  const given = Object.entries(variables).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { ...plainEnvironment, ...Object.fromEntries(given), ...call.env };
}

function bytes(config: unknown): string | Uint8Array {
  if (config === undefined) return '';
  return typeof config === 'string' || config instanceof Uint8Array ? config : JSON.stringify(config);
}

/** Runs `plugin` (a type name or the argv of an executable) in `place`, whatever it answers. */
export async function runPlugin(
  place: Place,
  plugin: string | readonly string[],
  command: CniCommand,
  call: CniCall = {},
): Promise<CniAnswer> {
  const argv = typeof plugin === 'string' ? [findPlugin(plugin)] : plugin;
  const outcome = await place.run(argv, {
    env: environment(command, call),
    input: bytes(call.config),
    ...(call.deadlineMs === undefined ? {} : { deadlineMs: call.deadlineMs }),
  });
  return { ...outcome, json: parsed(outcome.stdout) };
}

/** Starts a plugin as `runPlugin` does, without waiting for its end: see `answerOf`. */
export function startPlugin(
  place: Place,
  argv: readonly string[],
  command: CniCommand,
  call: CniCall = {},
): Background {
  const process = place.start(argv, environment(command, call));
  process.child.stdin?.end(bytes(call.config));
  return process;
}

/** What a plugin that was started has answered by its end. */
export async function answerOf(process: Background): Promise<CniAnswer> {
  await process.end();
  const { output: stdout, errors: stderr } = process;
  return { code: process.child.exitCode ?? -1, stdout, stderr, json: parsed(stdout) };
}

function parsed(text: string): CniJson | undefined {
  return text.trim() === '' ? undefined : (JSON.parse(text) as CniJson);
}
