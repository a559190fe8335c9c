/** Bringing the host after addresses that DHCP servers have changed: NAT and published ports, the veth's label. */
import { formatLabel } from '../../lib/mooring/label.ts';
import type { Following } from '../../lib/mooring/upkeep.ts';
import { labelling } from '../../lib/netlink/link-change.ts';
import { allowLocalnet } from '../../lib/nftables/localnet.ts';
import { changeAttachment } from '../../lib/nftables/table.ts';
import { publishes4, rulesOf } from './detail.ts';
import type { BridgeNatDetail } from './detail.ts';
import { flushFlows } from './disconnect.ts';
import { answerPublic, leavePublic } from './nat/answering.ts';
import { proxyAttachment, unproxyAttachment } from './bridge/ndp-proxy.ts';
import { rulesOfOthers } from './standby.ts';

export const following: Following<BridgeNatDetail> = {
  moved(host, tx, _netns, before, after) {
    const rules = rulesOf(after);
    changeAttachment(host.netfilter, rulesOf(before), rules, () => rulesOfOthers(tx, host, after));
    unproxyAttachment(host, before);
    proxyAttachment(host, after);
    if (publishes4(after)) allowLocalnet(host.route, rules.rules.bridge);
    flushFlows(host, after);
    if (after.detail.nat?.oneToOne) {
      leavePublic(host, before);
      answerPublic(host, after);
    }
    const { hostIfindex } = after;
    const alias = formatLabel(after, after.addresses);
    if (hostIfindex !== undefined && alias !== undefined)
      host.route.request(labelling({ index: hostIfindex }, alias));
  },
};
