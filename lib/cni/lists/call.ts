/** One call of one plugin of a list: ours through the dispatcher in this process, another's by its executable. */
import { pluginError, runDelegate } from '../delegate.ts';
import { dispatch } from '../dispatch.ts';
import type { Command, Environment } from '../environment.ts';
import type { JsonObject } from '../json.ts';
import type { World } from '../world.ts';
import type { Attachment, Ours } from './attachment.ts';
import { PLUGIN_ENVIRONMENT } from './places.ts';

/** What every call of one operation has in common. */
export interface Caller {
  readonly attachment: Attachment;
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

/** Returns what the plugin answered. Throws NetmoorError, with the plugin's own code (DelegateError) where it gave one. */
export async function callPlugin(
  command: AttachmentCommand,
  config: JsonObject,
  caller: Caller,
): Promise<Buffer> {
  const { attachment, world, ours, note } = caller;
  const type = String(config['type']);
  const environment = environmentOf(command, attachment);
  const stdin = Buffer.from(JSON.stringify(config));
  const plugin = await ours(type);
  if (plugin === undefined) {
    const request = { environment, stdin, path: attachment.path };
    return runDelegate(type, command, { request, world, note }, pluginError);
  }
  const { exitCode, stdout, stderr } = await dispatch(plugin, { environment, readStdin: () => stdin }, world);
  if (stderr.trim() !== '') note(stderr.trimEnd());
  if (exitCode !== 0) throw pluginError(type, command, { exitCode, stdout: Buffer.from(stdout), stderr });
  return Buffer.from(stdout);
}
