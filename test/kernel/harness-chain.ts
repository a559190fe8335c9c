/**
 * The runtime's part of CNI (spec 1.1.0, section 3): a network configuration list turned into the plugins' requests,
 * each plugin getting the result of the one before.
 */
import { runPlugin } from './harness-cni.ts';
import type { CniAnswer, CniCall, CniCommand, CniJson } from './harness-cni.ts';
import type { Place } from './harness-place.ts';

export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly PluginConfig[];
}

export interface PluginConfig {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [key: string]: unknown;
}

export interface ChainCall extends Omit<CniCall, 'config'> {
  /** What the runtime has to offer under each capability: `{ portMappings: […] }`. */
  readonly runtimeConfig?: Readonly<Record<string, unknown>>;
}

/** One plugin's configuration as it goes to standard input (section 3, "Deriving request configuration"). */
function requestConfig(
  list: NetworkList,
  plugin: PluginConfig,
  call: ChainCall,
  prevResult: CniJson | undefined,
): unknown {
  const { capabilities = {}, ...config } = plugin;
  const offered = Object.entries(call.runtimeConfig ?? {}).filter(([name]) => capabilities[name] === true);
  return {
    ...config,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(offered.length > 0 ? { runtimeConfig: Object.fromEntries(offered) } : {}),
    ...(prevResult === undefined ? {} : { prevResult }),
  };
}

/** ADD through the whole list; stops at the first failure. The last answer is the attachment's result. */
export async function addChain(place: Place, list: NetworkList, call: ChainCall): Promise<CniAnswer> {
  let last: CniAnswer | undefined;
  for (const plugin of list.plugins) {
    last = await runPlugin(place, plugin.type, 'ADD', {
      ...call,
      config: requestConfig(list, plugin, call, last?.json),
    });
    if (last.code !== 0) break;
  }
  if (last === undefined) throw new Error(`network ${list.name} has no plugins`);
  return last;
}

/** As `addChain`, for chains that must succeed; returns the result. */
export async function addChainMust(place: Place, list: NetworkList, call: ChainCall): Promise<CniJson> {
  const answer = await addChain(place, list, call);
  if (answer.code === 0 && answer.json !== undefined) return answer.json;
  throw new Error(`ADD of ${list.name}: exit ${answer.code}\n${answer.stdout}${answer.stderr}`);
}

/** The list without plugins of a type. */
export function withoutType(list: NetworkList, type: string): NetworkList {
  return { ...list, plugins: list.plugins.filter((plugin) => plugin.type !== type) };
}

/** DEL in reverse order or CHECK in order, with the attachment's result; throws at the first failure. */
export async function runChain(
  place: Place,
  command: Extract<CniCommand, 'DEL' | 'CHECK'>,
  list: NetworkList,
  call: ChainCall,
  result: CniJson | undefined,
): Promise<void> {
  for (const plugin of command === 'DEL' ? list.plugins.toReversed() : list.plugins) {
    const answer = await runPlugin(place, plugin.type, command, {
      ...call,
      config: requestConfig(list, plugin, call, result),
    });
    if (answer.code !== 0)
      throw new Error(`${command} of ${plugin.type}: exit ${answer.code}\n${answer.stdout}${answer.stderr}`);
  }
}
