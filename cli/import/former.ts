/**
 * What the plugins of the former chain still have of a container that was taken over: chains of iptables that lead to
 * its ports. Nobody but they knows them, so they are asked to take them away.
 */
import { errorText } from '../../lib/base/errors.ts';
import { isJsonObject, parseJsonObject } from '../../lib/cni/json.ts';
import type { CachedAttachment } from '../../lib/cni/lists/cache.ts';
import { openWhereItWas } from '../../lib/cni/lists/cache.ts';
import { callPlugin } from '../../lib/cni/lists/call.ts';
import { deriveConfig, finalResult } from '../../lib/cni/lists/derive.ts';
import { writeList } from '../../lib/cni/lists/list.ts';
import type { NetworkList } from '../../lib/cni/lists/list.ts';
import type { World } from '../../lib/cni/world.ts';

/** Those whose DEL takes away rules, and nothing that the container has of anybody else. */
const RULE_MAKERS = ['portmap', 'firewall'];

/** Whether plugins have made rules for it that are not in the network any more. */
export function formerPlugins({ list }: CachedAttachment, now: NetworkList): NetworkList['plugins'] {
  const stays = new Set(now.plugins.map(({ type }) => type));
  return (list?.plugins ?? []).filter(
    ({ type }) => typeof type === 'string' && RULE_MAKERS.includes(type) && !stays.has(type),
  );
}

/** The runtime is to detach it by the network as it is now, even one that goes by what it has on file. */
function rewrite({ file }: CachedAttachment, now: NetworkList, world: World): void {
  const content = world.files.read(file);
  if (content === undefined) return;
  const document = parseJsonObject(content, file);
  if (!isJsonObject(document)) return;
  const config = Buffer.from(JSON.stringify(writeList(now))).toString('base64');
  world.files.write(file, Buffer.from(JSON.stringify({ ...document, config })));
}

/**
 * DEL of those plugins, last one first, found in `path`; what does not work is returned in words, and the file is left
 * then.
 */
export async function cleanFormer(
  cached: CachedAttachment,
  now: NetworkList,
  path: readonly string[],
  world: World,
  note: (line: string) => void,
): Promise<string[]> {
  const { list, containerId, ifname, netns, args, capabilities, result } = cached;
  if (list === undefined) return ['what it was attached with is not on file'];
  const opened = openWhereItWas(cached, world);
  const attachment = { containerId, ifname, netns, args, capabilities, path };
  const caller = { attachment, netns: opened, world, ours: async () => undefined, note };
  const problems: string[] = [];
  try {
    for (const plugin of formerPlugins(cached, now).toReversed()) {
      try {
        await callPlugin('DEL', deriveConfig(list, plugin, capabilities, finalResult(list, result)), caller);
      } catch (error) {
        problems.push(`${String(plugin['type'])}: ${errorText(error)}`);
      }
    }
    if (problems.length === 0) rewrite(cached, now, world);
  } finally {
    if (opened !== undefined) world.closeNetns(opened);
  }
  return problems;
}
