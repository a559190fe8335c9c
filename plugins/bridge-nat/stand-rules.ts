/** The rules that stand for an attachment, made by its ADD, and again by a repair. */
import type { Host } from '../../lib/mooring/host.ts';
import { ownerKey } from '../../lib/mooring/label.ts';
import { findLink } from '../../lib/netlink/link.ts';
import { acceptForwarding } from '../../lib/nftables/forward.ts';
import { allowLocalnet } from '../../lib/nftables/localnet.ts';
import { carryOver, recall } from '../../lib/nftables/known.ts';
import { currentGeneration } from '../../lib/nftables/query.ts';
import { addAttachment, familiesNeeded } from '../../lib/nftables/table.ts';
import type { AttachmentRules } from '../../lib/nftables/table.ts';
import { publishes4, rulesOf } from './detail.ts';
import type { BridgeNatRecord } from './detail.ts';
import { hostIfnameFor } from './names.ts';

/** Whether an interface is there of the owner that an element names: then he lives. */
export function lives({ route }: Pick<Host, 'route'>, comment: string): boolean {
  const key = ownerKey(comment);
  return key !== undefined && findLink(route, hostIfnameFor(key)) !== undefined;
}

/**
 * Writes the attachment's rules, and those of `everyOther` should the tables have been deleted behind our back; the way
 * through the host's own firewall; and 127.0.0.1, once the guard stands. Repeating it changes nothing. Returns the
 * generation of the ruleset that it began with, for isUndisturbed(). Errors as of addAttachment().
 */
export function standRules(
  host: Host,
  record: BridgeNatRecord,
  everyOther: () => readonly AttachmentRules[],
): number {
  const rules = rulesOf(record);
  const { bridge } = rules.rules;
  const generation = currentGeneration(host.netfilter, 'read the generation of the ruleset');
  const known = recall(generation);
  const seen = { generation, families: known?.families ?? [] };
  addAttachment(host.netfilter, rules, everyOther, (owner) => lives(host, owner), seen);
  if (publishes4(record)) allowLocalnet(host.route, bridge);
  if (!known?.bridges.includes(bridge)) acceptForwarding(host.netfilter, bridge);
  return generation;
}

/**
 * After standRules(): the ruleset is that of `generation` with one transaction more, which was its own. Then nobody
 * need look at it again until somebody else has changed it. False when somebody has.
 */
export function isUndisturbed({ netfilter }: Host, record: BridgeNatRecord, generation: number): boolean {
  const now = currentGeneration(netfilter, 'read the generation of the ruleset');
  if (now !== generation + 1) return false;
  const rules = rulesOf(record);
  carryOver(generation, { families: familiesNeeded(rules), bridges: [rules.rules.bridge] });
  return true;
}
