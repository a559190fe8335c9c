/**
 * What each plugin of a list gets on stdin (CNI specification 1.1.0, section 3 "Deriving request configuration"): its
 * own part of the list with the network's name and version, the previous result, and of the runtime's offers those it
 * declares to take.
 */
import { encodeResult } from '../encode-result.ts';
import type { JsonObject } from '../json.ts';
import type { CniResult } from '../result.ts';
import { isAtLeast } from '../versions.ts';
import type { NetworkList } from './list.ts';
import { declares } from './publishing.ts';

function runtimeConfig(plugin: JsonObject, capabilities: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(capabilities).filter(([capability]) => declares(plugin, capability)),
  );
}

/** The configuration for one call of one plugin. */
export function deriveConfig(
  list: NetworkList,
  plugin: JsonObject,
  capabilities: JsonObject,
  previous: CniResult | undefined,
): JsonObject {
  const { capabilities: _declared, ...own } = plugin;
  const offered = runtimeConfig(plugin, capabilities);
  return {
    ...own,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(Object.keys(offered).length === 0 ? {} : { runtimeConfig: offered }),
    ...(previous === undefined ? {} : { prevResult: encodeResult(previous, list.cniVersion) as JsonObject }),
  };
}

/** For DEL and CHECK, the specification knows the result of ADD as prevResult from 0.4.0 on. */
export function finalResult(list: NetworkList, result: CniResult | undefined): CniResult | undefined {
  return isAtLeast(list.cniVersion, '0.4.0') ? result : undefined;
}
