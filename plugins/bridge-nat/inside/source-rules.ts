/** The rules of source-based routing (source-routing.ts) in a container, which bear netmoor's mark. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import { bitsOf } from '../../../lib/base/ip.ts';
import type { Address, Prefix } from '../../../lib/base/ip.ts';
import type { Host } from '../../../lib/mooring/host.ts';
import type { Removal } from '../../../lib/mooring/kind.ts';
import { RTPROT_NETMOOR } from '../../../lib/mooring/marks.ts';
import { prefixesOf } from '../../../lib/mooring/verify.ts';
import { listRules, ruleRemoval } from '../../../lib/netlink/rule.ts';
import type { Rule } from '../../../lib/netlink/rule.ts';
import type { NetlinkSocket } from '../../../lib/netlink/socket.ts';
import { withSocketIn } from '../../../lib/netlink/socket-in.ts';
import type { BridgeNatRecord } from '../detail.ts';

function whole(address: Address): Prefix {
  return { address, length: bitsOf(address.family) };
}

/** What is sent from an address is routed by a table. */
export function sourceRule(address: Address, table: number): Rule {
  const { family } = address;
  return { family, action: 'lookup', from: whole(address), table, protocol: RTPROT_NETMOOR };
}

/** Whether a rule is such a one for this address, whoever made it. */
export function isFrom(rule: Pick<Rule, 'family' | 'from'>, { family, value }: Address): boolean {
  const { from } = rule;
  return rule.family === family && from?.length === bitsOf(family) && from.address.value === value;
}

/** All of ours for these addresses. */
export function removeRules(socket: NetlinkSocket, addresses: readonly Prefix[]): void {
  const own = listRules(socket).filter(
    (rule) => rule.protocol === RTPROT_NETMOOR && addresses.some(({ address }) => isFrom(rule, address)),
  );
  socket.requestAll(
    own.flatMap(({ action, ...rule }) =>
      action === undefined ? [] : [ruleRemoval({ ...rule, action }, 'remove a routing rule')],
    ),
    'ENOENT',
  );
}

/** From the record: in a namespace that lives on the rules would outlast the interface. One that is gone has none. */
function removeSourceRouting({ world }: Host, record: BridgeNatRecord): void {
  if (record.netns === undefined) return;
  let netns: ReturnType<typeof world.openNetns>;
  try {
    netns = world.openNetns(record.netns.path);
  } catch (error) {
    if (error instanceof NetmoorError && error.kind === 'bad-netns') return;
    throw error;
  }
  try {
    if (netns.id !== record.netns.inode) return;
    withSocketIn(netns, 'route', (socket) => {
      removeRules(socket, prefixesOf(record));
    });
  } finally {
    world.closeNetns(netns);
  }
}

/** Nothing of an attachment that has none. */
export function sourceRuleRemovals(host: Host, record: BridgeNatRecord): Removal[] {
  if (record.detail.sourceRouting === undefined) return [];
  const remove = (): void => removeSourceRouting(host, record);
  return [{ what: 'remove its routing rules', step: 'detach: routing rules removed', remove }];
}
