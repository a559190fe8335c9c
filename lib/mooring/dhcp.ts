/**
 * Addresses of DHCP servers for a kind that has the engine ask for them itself, without an IPAM plugin in between: so
 * that it can ask when it knows what for, beside a pool of netmoor's or another plugin's addresses.
 */
import type { Delegation } from '../cni/delegate.ts';
import { parseJsonObject } from '../cni/json.ts';
import type { JsonObject } from '../cni/json.ts';
import type { AttachmentKey, DhcpRecord } from '../../ipam/record.ts';
import { leasedOf } from './delegated.ts';
import { DHCP_IPAM } from './ipam-type.ts';
import type { DhcpAsk, DhcpWish, Lessor } from './kind.ts';
import { askThroughEngine, engineAt, leaseThroughEngine, statusThroughEngine } from './through-engine.ts';
import type { EngineCall } from './through-engine.ts';

type Asked = Pick<Delegation['request'], 'environment' | 'stdin'>;

/** `ipam` as dhcp-ipam reads it; it refuses keys of a family that is not asked for. */
function ipamFor({ ipam }: DhcpWish, { ip, stateless = false }: DhcpAsk, timeout: number): JsonObject {
  const { prefixDelegation, stateless: _said, ...rest } = ipam;
  const delegates = ip !== 4 && !stateless && prefixDelegation !== undefined;
  return {
    ...rest,
    type: DHCP_IPAM,
    ip,
    timeout: timeout / 1000,
    ...(stateless ? { stateless } : {}),
    ...(delegates ? { prefixDelegation } : {}),
  };
}

/** The request of the main plugin as it would have reached an IPAM plugin; what answers it is read here alone. */
function requestFor({ environment, stdin }: Asked, ipam: JsonObject): Asked {
  const config = { ...parseJsonObject(stdin, 'the network config'), cniVersion: '1.1.0', ipam };
  return { environment, stdin: Buffer.from(JSON.stringify(config)) };
}

/** What the record keeps of it, so that the lease can be given back; undefined when none is asked for. */
export function dhcpRecord(
  wish: DhcpWish | undefined,
  { request }: Pick<Delegation, 'request'>,
): DhcpRecord | undefined {
  if (wish === undefined) return undefined;
  const ipam = ipamFor(wish, { ip: 'both' }, wish.timeout);
  const args = request.environment['CNI_ARGS'];
  return {
    config: requestFor(request, ipam).stdin.toString(),
    ...(args === undefined ? {} : { args }),
  };
}

/** The call with the keys that dhcp-ipam reads, in the version that the runtime speaks. */
function callFor(wish: DhcpWish, { request, world, note }: EngineCall): EngineCall {
  const ipam = ipamFor(wish, { ip: 'both' }, wish.timeout);
  const config = { ...parseJsonObject(request.stdin, 'the network config'), ipam };
  const { environment } = request;
  return {
    request: { environment, stdin: Buffer.from(JSON.stringify(config)) },
    world,
    note,
    ...engineAt(ipam),
  };
}

/** Throws DelegateError when what was leased is not held any more. Asks no server. */
export function checkThroughEngine(wish: DhcpWish, call: EngineCall): void {
  askThroughEngine('CHECK', callFor(wish, call), 0);
}

/** Throws NetmoorError('not-available') when there is no engine, nor can be started. */
export function probeThroughEngine(wish: DhcpWish, call: EngineCall): void {
  statusThroughEngine(callFor(wish, call));
}

export function lessorFor(key: AttachmentKey, wish: DhcpWish, { request, world, note }: Delegation): Lessor {
  return {
    lease(ask, undo) {
      const timeout = ask.timeout ?? wish.timeout;
      const asked = requestFor(request, ipamFor(wish, ask, timeout));
      const call = { request: asked, world, note, ...engineAt(wish.ipam) };
      return leasedOf(leaseThroughEngine(key, call, timeout, undo));
    },
  };
}
