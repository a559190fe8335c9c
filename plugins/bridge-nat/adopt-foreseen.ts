/**
 * What taking a container over would come to, without doing it: all that adopt() would refuse is asked of the stores
 * and of the kernel.
 */
import { parseAddress, sameAddress } from '../../lib/base/ip.ts';
import type { Host } from '../../lib/mooring/host.ts';
import { foreseeForwarding } from '../../lib/nftables/forward.ts';
import { foreseeAttachment } from '../../lib/nftables/foreseen.ts';
import type { PortRecord } from '../../ipam/record.ts';
import { isToMoor, judge, recordOf, refuseBearers, taken } from './adopt.ts';
import type { Adopted, Living } from './adopt.ts';
import type { BridgeNatConfig } from './config.ts';
import { rulesOf } from './detail.ts';
import type { BridgeNatRecord } from './detail.ts';
import { lives } from './stand-rules.ts';

/** As the store has it (ipam/store/sqlite/ports.ts): a wildcard is in the way of every address of its family. */
function collide(a: PortRecord, b: PortRecord): boolean {
  const apart = a.hostPort + a.count <= b.hostPort || b.hostPort + b.count <= a.hostPort;
  if (a.protocol !== b.protocol || apart) return false;
  if (a.hostIp === undefined || b.hostIp === undefined) return true;
  const [one, other] = [parseAddress(a.hostIp), parseAddress(b.hostIp)];
  const wide = one.value === 0n || other.value === 0n;
  return wide ? one.family === other.family : sameAddress(one, other);
}

/** Throws NetmoorError('port-taken') when one that is imported before has a port of it. */
function refuseAmong(earlier: readonly BridgeNatRecord[], record: BridgeNatRecord): void {
  for (const other of earlier.filter(({ containerId }) => containerId !== record.containerId)) {
    const port = record.ports.find((each) => other.ports.some((their) => collide(each, their)));
    if (port !== undefined) taken(`port ${port.hostPort}`, other);
  }
}

/**
 * What adopt() would answer, once it has taken over those of `earlier`; throws what it would throw. Changes nothing,
 * creates no store.
 */
export function foresee(
  host: Host,
  wanted: BridgeNatConfig,
  living: Living,
  earlier: readonly BridgeNatRecord[],
): Adopted {
  const { link } = living;
  const planned = recordOf(host, wanted, living);
  const judged = host.store.read((tx) => judge(host, tx, planned, link));
  if (!isToMoor(judged)) return judged;
  const { record } = judged;
  refuseAmong(earlier, record);
  refuseBearers(host, record, link);
  const rules = rulesOf(record);
  foreseeAttachment(host.netfilter, rules, (owner) => lives(host, owner));
  foreseeForwarding(host.netfilter, rules.rules.bridge);
  return judged;
}
