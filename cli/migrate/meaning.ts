/** What a migrated network does otherwise though its keys say the same (README "Moving from the reference plugins"). */
import { isJsonObject } from '../../lib/cni/json.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import type { Known } from './absorbed.ts';
import type { Tell } from './telling.ts';

interface Meaning {
  readonly key: string;
  readonly when: (main: JsonObject, former: readonly string[], known: Known) => boolean;
  readonly text: string;
}

function isRouted({ isGateway, isDefaultGateway }: JsonObject): boolean {
  return isGateway === true || isDefaultGateway === true;
}

function publishes({ capabilities }: JsonObject): boolean {
  return isJsonObject(capabilities) && capabilities['portMappings'] === true;
}

const MEANINGS: readonly Meaning[] = [
  {
    key: 'mtu',
    when: ({ mtu }) => mtu === undefined || mtu === 0,
    text: "the uplink's, where it was 1500",
  },
  {
    key: 'bridge',
    when: ({ keepBridge }) => keepBridge !== true,
    text: 'goes with its last container when netmoor has made it ("keepBridge" keeps it); one that is there stays',
  },
  {
    key: 'isGateway',
    when: isRouted,
    text: 'an address that somebody else on the bridge answers for is refused',
  },
  {
    key: 'ipMasq',
    when: ({ ipMasq }) => ipMasq === true,
    text: 'by elements of one nftables table, no longer by chains of iptables or of cni_plugins_masquerade',
  },
  {
    key: 'capabilities.portMappings',
    when: publishes,
    text: 'only packets to addresses of the host are redirected, and a port that another has is refused, naming him',
  },
  {
    key: 'hairpinMode',
    when: (main) => publishes(main) && main['hairpinMode'] !== true && main['promiscMode'] !== true,
    text: 'set by itself for containers that publish ports',
  },
  {
    key: 'ingressPolicy',
    when: ({ ingressPolicy }) => ingressPolicy === 'isolated',
    text: 'neighbours on the same bridge are kept out as well, whether or not br_netfilter is on',
  },
  {
    key: 'ingressPolicy',
    when: (main, _, known) => known.has('allowFrom') && main['ingressPolicy'] === undefined,
    text: 'containers of other networks of netmoor\'s are kept out ("allowFrom" lets some in, "open" everybody)',
  },
  {
    key: 'allowServers',
    when: (main, _, known) => known.has('allowServers') && main['allowServers'] !== true,
    text: 'containers cannot pass for routers or DHCP servers; true lets them',
  },
  {
    key: 'forwarding',
    when: (main, former) => isRouted(main) && !former.includes('firewall'),
    text: "there was no firewall plugin: chains of the host's firewall that drop forwarded packets are opened for the bridge now",
  },
];

/** `former`: the types that the list had. */
export function tellMeanings(main: JsonObject, former: readonly string[], known: Known, tell: Tell): void {
  for (const { key, when, text } of MEANINGS)
    if (when(main, former, known)) tell({ plugin: 'bridge', key, change: 'meaning', text });
}
