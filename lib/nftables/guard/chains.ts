/**
 * The guard's chains. A base chain of each master leads into `ingress` or `egress` (masters.ts).
 *
 * What macvlan does with a frame (drivers/net/macvlan.c, macvlan_queue_xmit, mode bridge): for a sibling's MAC address
 * it is given to the master as if it had come from outside (dev_forward_skb): ingress. To all others it leaves through
 * the master: egress; multicast and broadcast too, of which the siblings have been given their copies before, by a way
 * that no hook of the host sees.
 *
 * At egress what a socket of this network namespace sends is the host's, whatever its MAC address: processes of the
 * host, virtual machines on macvtap. A container's sockets belong to another. ARP, neighbour discovery, forwarded
 * packets and the last packets of closed connections have no socket that says so, so unknown MAC addresses pass, save
 * for the roles and for the addresses that attachments hold.
 *
 * At ingress there are no sockets, and an unknown MAC address is anyone's on the LAN: routers and DHCP servers too.
 * Routers forward what attachments of another subnet send, so the addresses of packets prove nothing there; those of
 * ARP and of neighbour advertisements, which no router forwards, do.
 */
import { word } from '../../base/transport.ts';
import { rule } from '../chain-plan.ts';
import type { ChainPlan, RulePlan } from '../chain-plan.ts';
import { NFT_META_PKTTYPE, NFT_META_SKUID } from '../expressions/meta.ts';
import { and, byte, differs } from '../frame-match.ts';
import type { GuardSet } from '../layout.ts';
import { equals, loadMeta } from '../match.ts';
import {
  ACCEPT,
  DROP,
  ICMP6,
  VLAN_TCI,
  chainName,
  ethernetSource,
  framed,
  goTo,
  held4,
  held6,
  heldArp,
  heldTarget,
  icmp6,
  isIn,
  isNotIn,
  jump,
  master,
  sender,
} from './phrases.ts';
import type { Hook } from './phrases.ts';
import { lie, roles } from './frame-rules.ts';
import { bySets } from './ownership.ts';
import { portChains } from './port-chains.ts';
import { roleChains } from './roles.ts';

/** (uid_t) -1, which no socket's is: a comparison that holds wherever there is something to compare. */
const NO_UID = Buffer.alloc(4, 0xff);
const NO_MAC = Buffer.alloc(6, 0xff);
/** linux/if_packet.h: to a MAC address that is not the receiving interface's. */
const PACKET_OTHERHOST = 3;
/** IEEE 802.1Q and 802.1ad. */
const VLAN_TAGS = [word(0x8100), word(0x88a8)];

/** A tag with a priority but no number is taken off by whoever receives it. */
function priorityTag(type: Buffer): RulePlan {
  const none = [and(Buffer.from([0x0f, 0xff])), equals(Buffer.alloc(2))];
  return rule('what is behind a tag of no VLAN', framed(type), VLAN_TCI, none, DROP);
}

const HELD = 'addresses that attachments hold';

const heldNeighbours = (hook: Hook): RulePlan[] => [
  rule(HELD, heldArp(hook), isIn('held4'), DROP),
  rule(HELD, icmp6(ICMP6.neighbourAdvertisement), heldTarget(hook), isIn('held_targets6'), DROP),
];

const heldSources = (hook: Hook): RulePlan[] => [
  rule(HELD, held4(hook), isIn('held4'), DROP),
  rule(HELD, held6(hook), isIn('held6'), DROP),
];

const admitted = (hook: Hook) => rule('admitted', sender(hook), isIn('admitted'), ACCEPT);
const toPort = (hook: Hook) => rule('attachments', sender(hook), isIn('ports'), goTo(hook, 'port'));

const EGRESS: readonly ChainPlan[] = [
  {
    name: chainName('egress', 'frame'),
    rules: [
      lie(6),
      lie(4),
      lie('arp'),
      ...VLAN_TAGS.map(priorityTag),
      ...roles('egress'),
      admitted('egress'),
      toPort('egress'),
      rule('MAC addresses not known', master('egress'), isIn('strict'), DROP),
      ...heldNeighbours('egress'),
      ...heldSources('egress'),
    ],
  },
  {
    name: 'egress',
    rules: [
      rule('sockets of the host', loadMeta(NFT_META_SKUID), differs(NO_UID), ACCEPT),
      rule('frames', ethernetSource(1), differs(NO_MAC), goTo('egress', 'frame')),
      // Where a master's headers are longer than Ethernet's the kernel finds none in short frames of packet sockets.
      rule('frames whose header is not found', DROP),
    ],
  },
];

const INGRESS: readonly ChainPlan[] = [
  {
    name: chainName('ingress', 'attachment'),
    rules: [...roles('ingress'), admitted('ingress'), rule('attachments', goTo('ingress', 'port'))],
  },
  {
    name: 'ingress',
    rules: [
      rule('not for a container', loadMeta(NFT_META_PKTTYPE), differs(byte(PACKET_OTHERHOST)), ACCEPT),
      rule('attachments', sender('ingress'), isIn('ports'), goTo('ingress', 'attachment')),
      admitted('ingress'),
      ...heldNeighbours('ingress'),
      rule('where no router forwards', master('ingress'), isIn('strict'), jump('ingress', 'strict')),
    ],
  },
];

function chainsOfHook(hook: Hook): ChainPlan[] {
  const refused = (allowed: GuardSet) => [...sender(hook), isNotIn(allowed), ...DROP];
  return [
    ...roleChains(hook, { router: refused('routers'), dhcpServer: refused('dhcp_servers') }),
    ...portChains(hook, bySets(hook)),
  ];
}

export const GUARD_CHAINS: readonly ChainPlan[] = [
  ...chainsOfHook('egress'),
  ...EGRESS,
  ...chainsOfHook('ingress'),
  { name: chainName('ingress', 'strict'), rules: heldSources('ingress') },
  ...INGRESS,
];
