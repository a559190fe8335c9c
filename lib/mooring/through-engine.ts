/**
 * What only the engine can do, asked of it by whoever needs it, synchronously: a process of one call, or a thread of
 * the engine itself. One is started where nobody has.
 */
import { NetmoorError, errorText } from '../base/errors.ts';
import { pluginError } from '../cni/delegate.ts';
import type { CniRequest, Command } from '../cni/environment.ts';
import type { World } from '../cni/world.ts';
import { askEngine } from '../engine/client.ts';
import { ensureEngine } from '../engine/ensure.ts';
import { pluginRequest } from '../engine/request.ts';
import type { AttachmentKey } from '../../ipam/record.ts';
import { storeFor } from './host.ts';
import { DHCP_IPAM } from './ipam-type.ts';

/** Milliseconds that an engine may take to begin: it looks for all containers whose leases it goes on with. */
const START_MS = 20_000;
/** Beside what the configuration lets a server take. */
const MARGIN_MS = 30_000;

/** A call of a plugin that lives in the engine. */
export interface EngineCall {
  readonly request: Pick<CniRequest, 'environment' | 'stdin'>;
  readonly world: World;
  readonly note: (line: string) => void;
}

/**
 * Has the engine run `command` of dhcp-ipam, and returns what it prints. `timeout`: milliseconds that servers are
 * waited for. Throws EngineError, and its answer as DelegateError.
 */
export function askThroughEngine(
  command: Command,
  { request, world, note }: EngineCall,
  timeout: number,
): Buffer {
  ensureEngine({ monotonic: world.monotonic, pause: world.pause }, START_MS);
  const deadline = timeout + MARGIN_MS;
  const environment = { ...request.environment, CNI_COMMAND: command };
  const call = { program: DHCP_IPAM, environment, stdin: request.stdin, deadline };
  const answer = askEngine(pluginRequest(call), deadline);
  if (!('exitCode' in answer)) throw new NetmoorError('internal', 'the engine answered another question');
  const { exitCode, stderr } = answer;
  if (stderr.trim() !== '') note(stderr.trimEnd());
  const stdout = Buffer.from(answer.stdout);
  if (exitCode !== 0) throw pluginError(DHCP_IPAM, command, { exitCode, stdout, stderr });
  return stdout;
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

/** GC of a network's leases. Without one on record there is nothing to ask the engine for. */
export function collectThroughEngine(network: string, call: EngineCall): void {
  const { store } = storeFor(undefined, call.world);
  const some = store.read((tx) => tx.dhcpLeases()).some((lease) => lease.network === network);
  if (some) askThroughEngine('GC', call, 0);
}
