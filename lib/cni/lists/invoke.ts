/**
 * A network list at work, as a runtime works it (CNI specification 1.1.0, section 3): ADD in order, each plugin with
 * the result of the one before; DEL in reverse order; CHECK in order. What is done is on file before it is done.
 */
import { NetmoorError, errorText } from '../../base/errors.ts';
import { CODE_OF_KIND, rephrased, toCniError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { quote } from '../quote.ts';
import type { CniResult } from '../result.ts';
import { EMPTY_RESULT } from '../result.ts';
import { isAtLeast } from '../versions.ts';
import type { World } from '../world.ts';
import { adapt, openMeant, refuseEnded, requireSameNetns, validateAttachment } from './attachment.ts';
import type { Attachment, Ours } from './attachment.ts';
import {
  cachedAttachment,
  forgetAttachment,
  openWhereItWas,
  refuseBeingAttached,
  rememberAttachment,
} from './cache.ts';
import type { CachedAttachment } from './cache.ts';
import { callPlugin } from './call.ts';
import type { Caller } from './call.ts';
import { deriveConfig, finalResult } from './derive.ts';
import type { NetworkList } from './list.ts';

export type { Attachment, Ours } from './attachment.ts';

type Note = (line: string) => void;

const silent: Note = () => {};

/** A plugin that refuses its configuration at DEL has refused it at ADD: it never did anything by it. */
const REFUSALS = (['bad-version', 'unsupported-field', 'bad-json', 'bad-config'] as const).map(
  (kind) => CODE_OF_KIND[kind],
);

function isRefusal(error: unknown): boolean {
  return error instanceof NetmoorError && REFUSALS.includes(toCniError(error).code);
}

/**
 * DEL of the first `count` plugins, last one first. A failure halts it, as the specification has it: an address must
 * not be free again while the rules of a later plugin lead to it. But when ADD did not finish, any plugin may be one
 * that never ran, and none may keep the others from being undone.
 */
async function deletePlugins(
  list: NetworkList,
  count: number,
  result: CniResult | undefined,
  unfinished: boolean,
  caller: Caller,
): Promise<void> {
  const failures: unknown[] = [];
  for (const plugin of list.plugins.slice(0, count).toReversed()) {
    try {
      await callPlugin(
        'DEL',
        deriveConfig(list, plugin, caller.attachment.capabilities, finalResult(list, result)),
        caller,
      );
    } catch (error) {
      if (isRefusal(error)) caller.note(errorText(error));
      else if (unfinished) failures.push(error);
      else throw error;
    }
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, failures.map(errorText).join('; '));
}

/**
 * Takes back what the first plugins did; the last of them is the one whose ADD failed, so its own DEL may fail, too.
 */
async function undo(
  list: NetworkList,
  count: number,
  result: CniResult | undefined,
  caller: Caller,
): Promise<void> {
  const { attachment, note } = caller;
  const failed = list.plugins[count - 1];
  if (failed !== undefined) {
    const single = { ...list, plugins: [failed] };
    await deletePlugins(single, 1, result, true, caller).catch((error: unknown) =>
      note(`after its failed ADD: ${errorText(error)}`),
    );
  }
  await deletePlugins(list, count - 1, result, true, caller);
  forgetAttachment(
    { network: list.name, containerId: attachment.containerId, ifname: attachment.ifname },
    caller.world,
  );
}

function withRemainder(error: unknown, remainder: unknown, { containerId }: Attachment): unknown {
  if (!(error instanceof NetmoorError)) return error;
  const more = `it could not be undone entirely (${errorText(remainder)}): run "netmoor detach --id ${containerId}"`;
  const details = error.details === '' ? more : `${error.details}; ${more}`;
  return rephrased(error, error.message, details);
}

/** Ours is given the open namespace; another's goes by the path. */
async function requireStillThere(
  plugin: JsonObject,
  { attachment, netns, world, ours }: Caller,
): Promise<void> {
  if ((await ours(String(plugin['type']))) !== undefined) refuseEnded(attachment, world);
  else requireSameNetns(attachment, world, netns);
}

async function addPlugins(list: NetworkList, caller: Caller): Promise<CniResult> {
  const { attachment, world } = caller;
  let result: CniResult | undefined;
  let started = 0;
  try {
    for (const plugin of list.plugins) {
      await requireStillThere(plugin, caller);
      started++;
      const config = deriveConfig(list, plugin, attachment.capabilities, result);
      result = await callPlugin('ADD', config, caller);
      rememberAttachment(list, attachment, { result, unfinished: started < list.plugins.length }, world);
      world.step(`list: plugin ${started} done`);
    }
    return result ?? EMPTY_RESULT;
  } catch (error) {
    try {
      await undo(list, started, result, caller);
    } catch (remainder) {
      throw withRemainder(error, remainder, attachment);
    }
    throw error;
  }
}

/**
 * Attaches the container and returns the last plugin's result. What is on file of an earlier attachment of the same key
 * is taken down first. Throws NetmoorError (DelegateError for a plugin's own errors) with nothing left behind.
 */
export async function addNetwork(
  list: NetworkList,
  wanted: Attachment,
  world: World,
  ours: Ours,
  note: Note = silent,
): Promise<CniResult> {
  const attachment = adapt(list, wanted);
  await validateAttachment(list, attachment, world, ours);
  if (attachment.opened !== undefined) refuseEnded(attachment, world);
  const netns = attachment.opened ?? openMeant(attachment, world);
  try {
    const { containerId, ifname } = attachment;
    const previous = cachedAttachment({ network: list.name, containerId, ifname }, world);
    if (previous !== undefined) {
      refuseBeingAttached(previous, world);
      await delNetwork(list, attachment, world, ours, note);
    }
    rememberAttachment(list, attachment, { result: undefined, unfinished: true }, world);
    world.step('list: on file');
    return await addPlugins(list, { attachment, netns, world, ours, note });
  } finally {
    if (attachment.opened === undefined) world.closeNetns(netns);
  }
}

/** The attachment as it was at ADD, and its namespace, if that is where it was. */
function restored(
  cached: CachedAttachment,
  attachment: Attachment,
  world: World,
): Pick<Caller, 'attachment' | 'netns'> {
  const { args, capabilities, netns: path, origin } = cached;
  const plugins = [...new Set([...attachment.path, ...(origin?.path ?? [])])];
  const netns = openWhereItWas(cached, world);
  return {
    attachment: { ...attachment, args, capabilities, path: plugins, netns: netns === undefined ? '' : path },
    netns,
  };
}

/** A namespace that cannot be told from the host's own is none for DEL. */
function withUsableNetns(attachment: Attachment, world: World): Pick<Caller, 'attachment' | 'netns'> {
  try {
    if (attachment.netns !== '') return { attachment, netns: openMeant(attachment, world) };
  } catch (error) {
    if (!(error instanceof NetmoorError)) throw error;
  }
  return { attachment: { ...attachment, netns: '' }, netns: undefined };
}

/**
 * Detaches the container: by the configuration and the result on file, else by `list` as it is now. Succeeds when there
 * is nothing to detach. After a failure what is on file stays there, for another attempt. `network` is needed without
 * `list`.
 */
export async function delNetwork(
  list: NetworkList | undefined,
  attachment: Attachment & { readonly network?: string },
  world: World,
  ours: Ours,
  note: Note = silent,
): Promise<void> {
  const { containerId, ifname, network = list?.name ?? '' } = attachment;
  const cached = cachedAttachment({ network, containerId, ifname }, world);
  const used = cached?.list ?? list;
  if (used === undefined) {
    if (cached === undefined) return;
    throw new NetmoorError(
      'bad-config',
      `the configuration kept in ${quote(cached.file)} cannot be read`,
      `define network ${network} again, then detach`,
    );
  }
  const place =
    cached === undefined ? withUsableNetns(attachment, world) : restored(cached, attachment, world);
  const unfinished = cached?.origin?.unfinished ?? false;
  try {
    const caller = { ...place, world, ours, note };
    await deletePlugins(used, used.plugins.length, cached?.result, unfinished, caller);
  } finally {
    if (place.netns !== undefined) world.closeNetns(place.netns);
  }
  forgetAttachment({ network: used.name, containerId, ifname }, world);
}

/**
 * Asks every plugin whether all is as ADD left it. Returns at once for a network that has checking disabled. Throws
 * 'bad-version' before 0.4.0, 'unknown-container' for what is not on file, and what the first complaining plugin says.
 */
export async function checkNetwork(
  list: NetworkList,
  attachment: Attachment,
  world: World,
  ours: Ours,
  note: Note = silent,
): Promise<void> {
  if (!isAtLeast(list.cniVersion, '0.4.0')) {
    throw new NetmoorError(
      'bad-version',
      `network ${list.name} is of cniVersion ${list.cniVersion}, which knows no CHECK`,
      'set "cniVersion" to 0.4.0 or later',
    );
  }
  if (list.disableCheck) return;
  const { containerId, ifname } = attachment;
  const cached = cachedAttachment({ network: list.name, containerId, ifname }, world);
  if (cached?.result === undefined || cached.origin?.unfinished === true) {
    throw new NetmoorError(
      'unknown-container',
      `${containerId} is not attached to ${list.name} as ${ifname}`,
      'attach it first',
    );
  }
  const { args, capabilities, result } = cached;
  const netns = openMeant(attachment, world);
  try {
    const caller = { attachment: { ...attachment, args, capabilities }, netns, world, ours, note };
    for (const plugin of list.plugins)
      await callPlugin('CHECK', deriveConfig(list, plugin, capabilities, result), caller);
  } finally {
    world.closeNetns(netns);
  }
}

export { allCachedAttachments, cachedAttachments } from './cache.ts';
export type { CachedAttachment } from './cache.ts';
