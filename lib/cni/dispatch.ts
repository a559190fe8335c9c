/**
 * From a request to an answer: all protocol behaviour, with no process, file or kernel in it (what the reference
 * library calls skel). Everything is checked before the plugin is called.
 */
import { NetmoorError } from '../base/errors.ts';
import type { Netns } from '../system/netns.ts';
import { configVersion, parseConfig, readConfig } from './config.ts';
import { encodeResult } from './encode-result.ts';
import { readParameters } from './environment.ts';
import type { CniRequest, Environment } from './environment.ts';
import { errorAnswer } from './errors.ts';
import type { AttachedContext, Context, Plugin } from './plugin.ts';
import { quote } from './quote.ts';
import { CURRENT_VERSION, SUPPORTED_VERSIONS, versionAnswer } from './versions.ts';
import type { CniVersion } from './versions.ts';
import type { World } from './world.ts';

/** A plugin call as it arrives, unchecked. */
export interface Invocation {
  readonly environment: Environment;
  /** Called once at most, and not for VERSION. */
  readonly readStdin: () => Buffer | Promise<Buffer>;
}

export interface Answer {
  readonly exitCode: number;
  /** One JSON document, or nothing. */
  readonly stdout: string;
  readonly stderr: string;
}

function toText(value: object): string {
  return `${JSON.stringify(value, undefined, 4)}\n`;
}

function introduction(plugin: Plugin): Answer {
  const versions = `CNI protocol versions supported: ${SUPPORTED_VERSIONS.join(', ')}`;
  const how =
    'is started by a container runtime, with CNI_COMMAND and its other parameters in the environment';
  return { exitCode: 0, stdout: '', stderr: `${plugin.about}\n${versions}\n${plugin.name} ${how}.\n` };
}

function refuseOwnNetns({ netns, netnsOverride }: CniRequest, opened: Netns, world: World): void {
  if (netnsOverride || opened.id !== world.ownNetnsId()) return;
  throw new NetmoorError(
    'own-netns',
    `CNI_NETNS ${quote(netns)} is the network namespace the plugin itself works in`,
    'give the namespace of a container; set CNI_NETNS_OVERRIDE=1 if this one is meant',
  );
}

/**
 * The container's namespace; undefined for DEL when it is gone. It is gone as well, 'reused', when the path leads to
 * our own by now: it was that of a process (/proc/PID/ns/net), whose number the kernel has given to another.
 */
function openSandbox(request: CniRequest, world: World): Netns | 'reused' | undefined {
  if (request.netns === '') return undefined;
  let opened: Netns;
  try {
    opened = world.openNetns(request.netns);
  } catch (error) {
    const gone = error instanceof NetmoorError && error.kind === 'bad-netns';
    if (request.command === 'DEL' && gone) return undefined;
    if (!gone) throw error;
    throw new NetmoorError('bad-netns', `CNI_NETNS: ${error.message}`, error.details, { cause: error.cause });
  }
  try {
    refuseOwnNetns(request, opened, world);
  } catch (error) {
    world.closeNetns(opened);
    if (request.command === 'DEL') return 'reused';
    throw error;
  }
  return opened;
}

/** Without a namespace, for a delegate too: it would refuse one that is the host's. */
function withoutNetns({ request, ...context }: Context): AttachedContext {
  const environment = { ...request.environment, CNI_NETNS: '' };
  return { ...context, request: { ...request, netns: '', environment }, netns: undefined };
}

/** A result that the configuration's version cannot express is a failed ADD: nothing may stay behind. */
async function add(plugin: Plugin, context: AttachedContext): Promise<object> {
  const result = await plugin.add(context);
  try {
    return encodeResult(result, context.config.cniVersion);
  } catch (error) {
    await plugin.del(context);
    throw error;
  }
}

async function onAttachment(plugin: Plugin, context: AttachedContext): Promise<object | undefined> {
  if (context.request.command === 'ADD') return add(plugin, context);
  if (context.request.command === 'CHECK') await plugin.check(context);
  else await plugin.del(context);
  return undefined;
}

async function call(plugin: Plugin, context: Context): Promise<object | undefined> {
  const { request, world } = context;
  if (request.command === 'GC') return void (await plugin.gc?.(context));
  if (request.command === 'STATUS') return void (await plugin.status?.(context));
  if (plugin.role === 'ipam') return onAttachment(plugin, { ...context, netns: undefined });
  const netns = openSandbox(request, world);
  if (netns === 'reused') return onAttachment(plugin, withoutNetns(context));
  try {
    return await onAttachment(plugin, { ...context, netns });
  } finally {
    if (netns !== undefined) world.closeNetns(netns);
  }
}

/** Answers one invocation. Never throws: what goes wrong is the answer. */
export async function dispatch(plugin: Plugin, invocation: Invocation, world: World): Promise<Answer> {
  const { environment } = invocation;
  if (!environment['CNI_COMMAND']) return introduction(plugin);
  if (environment['CNI_COMMAND'] === 'VERSION') return { exitCode: 0, stdout: versionAnswer(), stderr: '' };
  const notes: string[] = [];
  let cniVersion: CniVersion = CURRENT_VERSION;
  const answer = (exitCode: number, value: object | undefined): Answer => ({
    exitCode,
    stdout: value === undefined ? '' : toText(value),
    stderr: notes.map((line) => `${line}\n`).join(''),
  });
  try {
    const parameters = readParameters(environment);
    const stdin = await invocation.readStdin();
    const raw = parseConfig(stdin);
    cniVersion = configVersion(raw);
    const config = readConfig(raw, cniVersion, parameters.command);
    const note = (line: string): void => void notes.push(line);
    return answer(0, await call(plugin, { request: { ...parameters, stdin }, config, world, note }));
  } catch (error) {
    return answer(1, errorAnswer(error, cniVersion));
  }
}
