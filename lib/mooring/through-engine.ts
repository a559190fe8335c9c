/**
 * What only the engine can do, asked of it by whoever needs it, synchronously: a process of one call, or a thread of
 * the engine itself. One is started where nobody has.
 */
import { NetmoorError, errorText } from '../base/errors.ts';
import type { UndoStack } from '../base/undo.ts';
import { decodeResult } from '../cni/decode-result.ts';
import { pluginError } from '../cni/delegate.ts';
import type { CniRequest, Command } from '../cni/environment.ts';
import { parseJsonObject } from '../cni/json.ts';
import type { JsonObject } from '../cni/json.ts';
import type { CniResult } from '../cni/result.ts';
import type { World } from '../cni/world.ts';
import { askPlugin } from '../engine/ask-plugin.ts';
import { askEngine } from '../engine/client.ts';
import { EngineError } from '../engine/errors.ts';
import type { PluginAnswer } from '../engine/protocol.ts';
import { pluginRequest } from '../engine/request.ts';
import type { PluginCall } from '../engine/request.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import { storeFor } from './host.ts';
import { DHCP_IPAM } from './ipam-type.ts';

/** Milliseconds beside what the configuration lets a server take. */
const MARGIN_MS = 30_000;

/** A call of a plugin that lives in the engine. */
export interface EngineCall {
  readonly request: Pick<CniRequest, 'environment' | 'stdin'>;
  readonly world: World;
  readonly note: (line: string) => void;
  /**
   * Where the engine listens, when that is not its usual place: there nobody starts one but who has named the place.
   */
  readonly socket?: string;
}

/** Where an `ipam` of dhcp-ipam says that the engine listens. */
export function engineAt(ipam: JsonObject | undefined): Pick<EngineCall, 'socket'> {
  const socket = ipam?.['daemonSocketPath'];
  return typeof socket === 'string' && socket !== '' ? { socket } : {};
}

function answerTo(call: PluginCall, { world, socket }: EngineCall): PluginAnswer {
  if (socket === undefined) return askPlugin(call, { monotonic: world.monotonic, pause: world.pause });
  const answer = askEngine(pluginRequest(call), call.deadline, socket);
  if ('exitCode' in answer) return answer;
  throw new NetmoorError('internal', 'the engine answered another question');
}

/**
 * Has the engine run `command` of dhcp-ipam, and returns what it prints. `timeout`: milliseconds that servers are
 * waited for. Throws EngineError, and its answer as DelegateError.
 */
export function askThroughEngine(command: Command, call: EngineCall, timeout: number): Buffer {
  const { request, note } = call;
  const environment = { ...request.environment, CNI_COMMAND: command };
  const asked = { program: DHCP_IPAM, environment, stdin: request.stdin, deadline: timeout + MARGIN_MS };
  const { exitCode, stdout: text, stderr } = answerTo(asked, call);
  if (stderr.trim() !== '') note(stderr.trimEnd());
  const stdout = Buffer.from(text);
  if (exitCode !== 0) throw pluginError(DHCP_IPAM, command, { exitCode, stdout, stderr });
  return stdout;
}

/** ADD of dhcp-ipam. What was leased, or may have been, goes back by `undo`. Throws as askThroughEngine(). */
export function leaseThroughEngine(
  key: AttachmentKey,
  call: EngineCall,
  timeout: number,
  undo: UndoStack,
): CniResult {
  undo.push('give its DHCP lease back', () => releaseThroughEngine(key, call));
  return resultThroughEngine(call, timeout);
}

/** The same for who takes nothing back. */
export function resultThroughEngine(call: EngineCall, timeout: number): CniResult {
  const stdout = askThroughEngine('ADD', call, timeout);
  return decodeResult(parseJsonObject(stdout, 'the result of the engine'), 'result of the engine');
}

/**
 * Gives the DHCP leases of an attachment back. The engine need not be there, nor come: whoever starts the next one
 * finds them marked, and gives them back. Throws nothing but errors of the store.
 */
export function releaseThroughEngine(key: AttachmentKey, call: EngineCall): void {
  const { store } = storeFor(undefined, call.world);
  if (store.read((tx) => tx.dhcpLease(key)) === undefined) return;
  try {
    askThroughEngine('DEL', call, 0);
  } catch (error) {
    // Whatever is the matter with it, DEL has to end some time.
    call.note(`the DHCP lease is given back when the engine is there again: ${errorText(error)}`);
    store.write((tx) => {
      const record = tx.dhcpLease(key);
      if (record) tx.putDhcpLease({ ...record, gone: 'it was detached while there was no engine' });
    });
  }
}

/** STATUS. Throws NetmoorError('not-available') when there is no engine, nor can be started. */
export function statusThroughEngine(call: EngineCall): void {
  try {
    askThroughEngine('STATUS', call, 0);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new NetmoorError('not-available', error.message, error.details, { cause: error });
  }
}

/** GC of a network's leases. Without one on record there is nothing to ask the engine for. */
export function collectThroughEngine(network: string, call: EngineCall): void {
  const { store } = storeFor(undefined, call.world);
  const some = store.read((tx) => tx.dhcpLeases()).some((lease) => lease.network === network);
  if (some) askThroughEngine('GC', call, 0);
}
