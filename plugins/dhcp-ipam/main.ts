/**
 * dhcp-ipam as a process: an IPAM plugin whose addresses DHCP servers give. A lease outlives every process that a
 * runtime starts, so it is the engine that asks for it and prolongs it; here the configuration is checked, the engine
 * started where nobody has, and asked.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import { decodeResult } from '../../lib/cni/decode-result.ts';
import { parseJsonObject } from '../../lib/cni/json.ts';
import type { Context, Plugin } from '../../lib/cni/plugin.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import { EngineError } from '../../lib/engine/errors.ts';
import { keyOf } from '../../lib/mooring/request.ts';
import {
  askThroughEngine,
  collectThroughEngine,
  engineAt,
  releaseThroughEngine,
} from '../../lib/mooring/through-engine.ts';
import type { EngineCall } from '../../lib/mooring/through-engine.ts';
import { readDhcpConfig } from './config.ts';
import { PLUGIN } from './name.ts';

/** A call of the engine where the configuration says that it listens. */
function callOf(context: Context): EngineCall {
  return { ...context, ...engineAt(context.config.ipam) };
}

function add(context: Context): CniResult {
  const { timeout } = readDhcpConfig(context.config, context.request);
  const stdout = askThroughEngine('ADD', callOf(context), timeout);
  return decodeResult(parseJsonObject(stdout, 'the result of the engine'), 'result of the engine');
}

function status(context: Context): void {
  readDhcpConfig(context.config, context.request);
  try {
    askThroughEngine('STATUS', callOf(context), 0);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new NetmoorError('not-available', error.message, error.details, { cause: error });
  }
}

export const plugin: Plugin = {
  name: PLUGIN,
  about: 'CNI IPAM plugin of netmoor: addresses from DHCP and DHCPv6 servers, kept by the engine',
  role: 'ipam',
  add,
  check: (context) => {
    const { timeout } = readDhcpConfig(context.config, context.request);
    askThroughEngine('CHECK', callOf(context), timeout);
  },
  del: (context) => releaseThroughEngine(keyOf(context), callOf(context)),
  gc: (context) => collectThroughEngine(context.config.name, callOf(context)),
  status,
};
