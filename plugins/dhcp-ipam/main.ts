/**
 * dhcp-ipam as a process: an IPAM plugin whose addresses DHCP servers give. A lease outlives every process that a
 * runtime starts, so it is the engine that asks for it and prolongs it; here the configuration is checked, the engine
 * started where nobody has, and asked.
 */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { decodeResult } from '../../lib/cni/decode-result.ts';
import { pluginError } from '../../lib/cni/delegate.ts';
import { parseJsonObject } from '../../lib/cni/json.ts';
import type { Context, Plugin } from '../../lib/cni/plugin.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import { askEngine } from '../../lib/engine/client.ts';
import { ensureEngine } from '../../lib/engine/ensure.ts';
import { EngineError } from '../../lib/engine/errors.ts';
import { pluginRequest } from '../../lib/engine/request.ts';
import { storeFor } from '../../lib/mooring/host.ts';
import { keyOf } from '../../lib/mooring/request.ts';
import { readDhcpConfig } from './config.ts';
import { PLUGIN } from './name.ts';

/** Milliseconds that an engine may take to begin: it looks for all containers whose leases it goes on with. */
const START_MS = 20_000;
/** Beside what the configuration lets a server take. */
const MARGIN_MS = 30_000;

/** Undefined: the place where engines are started; nobody starts one elsewhere but who has named the place. */
function socketOf({ config }: Context): string | undefined {
  const named = config.ipam?.['daemonSocketPath'];
  return typeof named === 'string' && named !== '' ? named : undefined;
}

/** Asks the engine for the same, and returns what it prints. Throws EngineError, and its answer as DelegateError. */
function forward(context: Context, timeout: number): Buffer {
  const { request, world, note } = context;
  const socket = socketOf(context);
  if (socket === undefined) ensureEngine({ monotonic: world.monotonic, pause: world.pause }, START_MS);
  const deadline = timeout + MARGIN_MS;
  const { environment, stdin } = request;
  const answer = askEngine(
    pluginRequest({ program: PLUGIN, environment, stdin, deadline }),
    deadline,
    socket,
  );
  if (!('exitCode' in answer)) throw new NetmoorError('internal', 'the engine answered another question');
  const { exitCode, stderr } = answer;
  if (stderr.trim() !== '') note(stderr.trimEnd());
  const stdout = Buffer.from(answer.stdout);
  if (exitCode !== 0) throw pluginError(PLUGIN, request.command, { exitCode, stdout, stderr });
  return stdout;
}

function add(context: Context): CniResult {
  const { timeout } = readDhcpConfig(context.config, context.request);
  const stdout = forward(context, timeout);
  return decodeResult(parseJsonObject(stdout, 'the result of the engine'), 'result of the engine');
}

/**
 * The engine need not be there, nor come: whoever starts the next one finds the lease marked, and gives it back. Throws
 * nothing but errors of the store.
 */
function del(context: Context): void {
  const key = keyOf(context);
  const { store } = storeFor(undefined, context.world);
  if (store.read((tx) => tx.dhcpLease(key)) === undefined) return;
  try {
    forward(context, 0);
  } catch (error) {
    if (!(error instanceof NetmoorError)) throw error;
    context.note(`the DHCP lease is given back when the engine is there again: ${errorText(error)}`);
    store.write((tx) => {
      const record = tx.dhcpLease(key);
      if (record) tx.putDhcpLease({ ...record, gone: 'it was detached while there was no engine' });
    });
  }
}

/** Without a lease on record there is nothing to ask the engine for. */
function gc(context: Context): void {
  const { store } = storeFor(undefined, context.world);
  if (store.read((tx) => tx.dhcpLeases()).some(({ network }) => network === context.config.name))
    forward(context, 0);
}

function status(context: Context): void {
  readDhcpConfig(context.config, context.request);
  try {
    forward(context, 0);
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
    forward(context, timeout);
  },
  del,
  gc,
  status,
};
