/**
 * dhcp-ipam as a process: an IPAM plugin whose addresses DHCP servers give. A lease outlives every process that a
 * runtime starts, so it is the engine that asks for it and prolongs it; here the configuration is checked, the engine
 * started where nobody has, and asked.
 */
import type { Context, Plugin } from '../../lib/cni/plugin.ts';
import { DHCP_IPAM } from '../../lib/mooring/ipam-type.ts';
import { keyOf } from '../../lib/mooring/request.ts';
import {
  askThroughEngine,
  collectThroughEngine,
  engineAt,
  releaseThroughEngine,
  resultThroughEngine,
  statusThroughEngine,
} from '../../lib/mooring/through-engine.ts';
import type { EngineCall } from '../../lib/mooring/through-engine.ts';
import { readDhcpConfig } from './config.ts';

/** A call of the engine where the configuration says that it listens. */
function callOf(context: Context): EngineCall {
  return { ...context, ...engineAt(context.config.ipam) };
}

export const plugin: Plugin = {
  name: DHCP_IPAM,
  about: 'CNI IPAM plugin of netmoor: addresses from DHCP and DHCPv6 servers, kept by the engine',
  role: 'ipam',
  add: (context) => {
    const { timeout } = readDhcpConfig(context.config, context.request);
    return resultThroughEngine(callOf(context), timeout);
  },
  check: (context) => {
    const { timeout } = readDhcpConfig(context.config, context.request);
    askThroughEngine('CHECK', callOf(context), timeout);
  },
  del: (context) => releaseThroughEngine(keyOf(context), callOf(context)),
  gc: (context) => collectThroughEngine(context.config.name, callOf(context)),
  status: (context) => {
    readDhcpConfig(context.config, context.request);
    statusThroughEngine(callOf(context));
  },
};
