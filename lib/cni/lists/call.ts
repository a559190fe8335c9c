/**
 * One call of one plugin of a list. Ours is called in this process, with the open namespace, and answers and fails in
 * typed values; another's is executed, and speaks JSON.
 */
import { NetmoorError } from '../../base/errors.ts';
import type { Netns } from '../../system/netns.ts';
import { configVersion, readConfig } from '../config.ts';
import { decodeResult } from '../decode-result.ts';
import { pluginError, runDelegate } from '../delegate.ts';
import type { CniRequest, Command, Environment } from '../environment.ts';
import { rephrased, typedError } from '../errors.ts';
import { isJsonObject, parseJson } from '../json.ts';
import type { JsonObject } from '../json.ts';
import type { AttachedContext, Plugin } from '../plugin.ts';
import { quote } from '../quote.ts';
import { EMPTY_RESULT } from '../result.ts';
import type { CniResult } from '../result.ts';
import type { World } from '../world.ts';
import type { Attachment, Ours } from './attachment.ts';
import { PLUGIN_ENVIRONMENT } from './places.ts';

/** What every call of one operation has in common. */
export interface Caller {
  readonly attachment: Attachment;
  /** The container's namespace, open; undefined when it is gone (DEL). */
  readonly netns: Netns | undefined;
  readonly world: World;
  readonly ours: Ours;
  /** Takes what plugins write to stderr. */
  readonly note: (line: string) => void;
}

export type AttachmentCommand = Extract<Command, 'ADD' | 'DEL' | 'CHECK'>;

function environmentOf(command: AttachmentCommand, attachment: Attachment): Environment {
  const { environment = PLUGIN_ENVIRONMENT, args, path, netns, containerId, ifname } = attachment;
  const inherited = Object.entries(environment).filter(([name]) => !name.startsWith('CNI_'));
  return {
    ...PLUGIN_ENVIRONMENT,
    ...Object.fromEntries(inherited),
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: ifname,
    CNI_ARGS: [...args].map(([key, value]) => `${key}=${value}`).join(';'),
    CNI_PATH: path.join(':'),
  };
}

/** A plugin may answer "null", which libcni takes for nothing to say. */
function readResult(answer: Buffer, type: string): CniResult {
  const value = parseJson(answer, `the result of ${type}`);
  if (value === null) return EMPTY_RESULT;
  if (isJsonObject(value)) return decodeResult(value, `result of ${type}`);
  throw new NetmoorError(
    'bad-json',
    `the result of ${type} must be a JSON object, not ${quote(value)}`,
    'the plugin is broken',
  );
}

/**
 * What the dispatcher would have read from environment and stdin; the text of the latter is made when a delegate wants
 * it.
 */
function contextOf(command: AttachmentCommand, raw: JsonObject, caller: Caller): AttachedContext {
  const { attachment, netns, world, note } = caller;
  const { containerId, ifname, args, path } = attachment;
  const request: CniRequest = {
    command,
    containerId,
    netns: attachment.netns,
    ifname,
    args,
    path,
    netnsOverride: false,
    environment: environmentOf(command, attachment),
    get stdin() {
      return Buffer.from(JSON.stringify(raw));
    },
  };
  return { request, config: readConfig(raw, configVersion(raw), command), world, note, netns };
}

async function callOurs(
  plugin: Plugin,
  command: AttachmentCommand,
  raw: JsonObject,
  caller: Caller,
): Promise<CniResult> {
  try {
    const context = contextOf(command, raw, caller);
    if (command === 'ADD') return await plugin.add(context);
    if (command === 'CHECK') await plugin.check(context);
    else await plugin.del(context);
    return EMPTY_RESULT;
  } catch (error) {
    const typed = typedError(error);
    throw rephrased(typed, `${String(raw['type'])} ${command}: ${typed.message}`);
  }
}

/** What ADD answered; nothing for the others. Throws NetmoorError, with another plugin's own code as DelegateError. */
export async function callPlugin(
  command: AttachmentCommand,
  config: JsonObject,
  caller: Caller,
): Promise<CniResult> {
  const { attachment, world, ours, note } = caller;
  const type = String(config['type']);
  const plugin = await ours(type);
  if (plugin !== undefined) return callOurs(plugin, command, config, caller);
  const environment = environmentOf(command, attachment);
  const stdin = Buffer.from(JSON.stringify(config));
  const request = { environment, stdin, path: attachment.path };
  const answer = runDelegate(type, command, { request, world, note }, pluginError);
  return command === 'ADD' ? readResult(answer, type) : EMPTY_RESULT;
}
