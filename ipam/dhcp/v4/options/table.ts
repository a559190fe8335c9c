/**
 * All options that IANA has in its registry ("BOOTP Vendor Extensions and DHCP Options") by number: their names, as
 * dhcp-options(5) spells them where it knows them and the registry otherwise, and how their values are read.
 */
import { address } from './address.ts';
import { addressList } from './address-list.ts';
import { classlessRoutes } from './classless-routes.ts';
import { clientFqdn } from './client-fqdn.ts';
import { clientIdentifier } from './client-identifier.ts';
import type { OptionCodec } from './codec.ts';
import { domainSearch } from './domain-search.ts';
import { flag } from './flag.ts';
import { number16, number32, number8 } from './number.ts';
import { number16List } from './number16-list.ts';
import { parameterRequestList } from './parameter-request-list.ts';
import { raw } from './raw.ts';
import { staticRoutes } from './static-routes.ts';
import { text } from './text.ts';

export interface OptionKind {
  readonly name: string;
  readonly codec: OptionCodec<unknown>;
}

type Row = readonly [code: number, name: string, codec: OptionCodec<unknown>];

// biome-ignore format: a table
const ROWS: readonly Row[] = [
  [1, 'subnet-mask', address],
  [2, 'time-offset', number32],
  [3, 'routers', addressList],
  [4, 'time-servers', addressList],
  [5, 'ien116-name-servers', addressList],
  [6, 'domain-name-servers', addressList],
  [7, 'log-servers', addressList],
  [8, 'cookie-servers', addressList],
  [9, 'lpr-servers', addressList],
  [10, 'impress-servers', addressList],
  [11, 'resource-location-servers', addressList],
  [12, 'host-name', text],
  [13, 'boot-size', number16],
  [14, 'merit-dump', text],
  [15, 'domain-name', text],
  [16, 'swap-server', address],
  [17, 'root-path', text],
  [18, 'extensions-path', text],
  [19, 'ip-forwarding', number8],
  [20, 'non-local-source-routing', number8],
  [21, 'policy-filter', addressList],
  [22, 'max-dgram-reassembly', number16],
  [23, 'default-ip-ttl', number8],
  [24, 'path-mtu-aging-timeout', number32],
  [25, 'path-mtu-plateau-table', number16List],
  [26, 'interface-mtu', number16],
  [27, 'all-subnets-local', number8],
  [28, 'broadcast-address', address],
  [29, 'perform-mask-discovery', number8],
  [30, 'mask-supplier', number8],
  [31, 'router-discovery', number8],
  [32, 'router-solicitation-address', address],
  [33, 'static-routes', staticRoutes],
  [34, 'trailer-encapsulation', number8],
  [35, 'arp-cache-timeout', number32],
  [36, 'ieee802-3-encapsulation', number8],
  [37, 'default-tcp-ttl', number8],
  [38, 'tcp-keepalive-interval', number32],
  [39, 'tcp-keepalive-garbage', number8],
  [40, 'nis-domain', text],
  [41, 'nis-servers', addressList],
  [42, 'ntp-servers', addressList],
  [43, 'vendor-encapsulated-options', raw],
  [44, 'netbios-name-servers', addressList],
  [45, 'netbios-dd-server', addressList],
  [46, 'netbios-node-type', number8],
  [47, 'netbios-scope', text],
  [48, 'font-servers', addressList],
  [49, 'x-display-manager', addressList],
  [50, 'dhcp-requested-address', address],
  [51, 'dhcp-lease-time', number32],
  [52, 'dhcp-option-overload', number8],
  [53, 'dhcp-message-type', number8],
  [54, 'dhcp-server-identifier', address],
  [55, 'dhcp-parameter-request-list', parameterRequestList],
  [56, 'dhcp-message', text],
  [57, 'dhcp-max-message-size', number16],
  [58, 'dhcp-renewal-time', number32],
  [59, 'dhcp-rebinding-time', number32],
  [60, 'vendor-class-identifier', raw],
  [61, 'dhcp-client-identifier', clientIdentifier],
  [62, 'nwip-domain', text],
  [63, 'nwip-suboptions', raw],
  [64, 'nisplus-domain', text],
  [65, 'nisplus-servers', addressList],
  [66, 'tftp-server-name', text],
  [67, 'bootfile-name', text],
  [68, 'mobile-ip-home-agent', addressList],
  [69, 'smtp-server', addressList],
  [70, 'pop-server', addressList],
  [71, 'nntp-server', addressList],
  [72, 'www-server', addressList],
  [73, 'finger-server', addressList],
  [74, 'irc-server', addressList],
  [75, 'streettalk-server', addressList],
  [76, 'streettalk-directory-assistance-server', addressList],
  [77, 'user-class', raw],
  [78, 'slp-directory-agent', raw],
  [79, 'slp-service-scope', raw],
  [80, 'rapid-commit', flag],
  [81, 'fqdn', clientFqdn],
  [82, 'relay-agent-information', raw],
  [83, 'isns', raw],
  [85, 'nds-servers', addressList],
  [86, 'nds-tree-name', text],
  [87, 'nds-context', text],
  [88, 'bcms-controller-names', domainSearch],
  [89, 'bcms-controller-address', addressList],
  [90, 'authentication', raw],
  [91, 'client-last-transaction-time', number32],
  [92, 'associated-ip', addressList],
  [93, 'pxe-system-type', number16List],
  [94, 'pxe-interface-id', raw],
  [95, 'ldap', text],
  [97, 'pxe-client-id', raw],
  [98, 'uap-servers', text],
  [99, 'geoconf-civic', raw],
  [100, 'pcode', text],
  [101, 'tcode', text],
  [108, 'v6-only-preferred', number32],
  [109, 'dhcp4o6-source-address', raw],
  [112, 'netinfo-server-address', addressList],
  [113, 'netinfo-server-tag', text],
  [114, 'captive-portal', text],
  [116, 'auto-config', number8],
  [117, 'name-service-search', number16List],
  [118, 'subnet-selection', address],
  [119, 'domain-search', domainSearch],
  [120, 'sip-servers', raw],
  [121, 'classless-static-routes', classlessRoutes],
  [122, 'ccc', raw],
  [123, 'geoconf', raw],
  [124, 'vivco', raw],
  [125, 'vivso', raw],
  [128, 'tftp-server-ip', raw],
  [136, 'pana-agent', addressList],
  [137, 'v4-lost', raw],
  [138, 'capwap-ac-v4', addressList],
  [139, 'ipv4-address-mos', raw],
  [140, 'ipv4-fqdn-mos', raw],
  [141, 'sip-ua-config-domains', domainSearch],
  [142, 'ipv4-address-andsf', addressList],
  [143, 'v4-sztp-redirect', raw],
  [144, 'geoloc', raw],
  [145, 'forcerenew-nonce-capable', raw],
  [146, 'rdnss-selection', raw],
  [147, 'v4-dots-ri', raw],
  [148, 'v4-dots-address', addressList],
  [150, 'tftp-server-address', addressList],
  [151, 'status-code', raw],
  [152, 'base-time', number32],
  [153, 'start-time-of-state', number32],
  [154, 'query-start-time', number32],
  [155, 'query-end-time', number32],
  [156, 'dhcp-state', number8],
  [157, 'data-source', number8],
  [158, 'v4-pcp-server', raw],
  [159, 'v4-portparams', raw],
  [161, 'mud-url', text],
  [162, 'v4-dnr', raw],
  [175, 'etherboot', raw],
  [176, 'ip-telephone', raw],
  [208, 'pxelinux-magic', number32],
  [209, 'pxelinux-config-file', text],
  [210, 'pxelinux-path-prefix', text],
  [211, 'pxelinux-reboot-time', number32],
  [212, 'option-6rd', raw],
  [213, 'v4-access-domain', raw],
  [220, 'subnet-allocation', raw],
  [221, 'virtual-subnet-selection', raw],
  [249, 'ms-classless-static-routes', classlessRoutes],
  [252, 'wpad', text],
];

/** As the registry writes them, or other programs, where that is something else. */
const OTHER_NAMES: Readonly<Record<string, number>> = {
  router: 3,
  'name-servers': 5,
  hostname: 12,
  'static-route': 33,
  'requested-address': 50,
  'dhcp-lease': 51,
  'server-identifier': 54,
  'parameter-request-list': 55,
  'client-identifier': 61,
  'client-fqdn': 81,
  'ipv6-only-preferred': 108,
  'classless-static-route': 121,
  'rfc3442-classless-static-routes': 121,
};

const TABLE: ReadonlyMap<number, OptionKind> = new Map(
  ROWS.map(([code, name, codec]) => [code, { name, codec }]),
);

const CODES: ReadonlyMap<string, number> = new Map([
  ...Object.entries(OTHER_NAMES),
  ...ROWS.map(([code, name]): [string, number] => [name, code]),
]);

/** All names of options. */
export const OPTION_NAMES: readonly string[] = [...CODES.keys()];

/** What is known of the option with this number; of one without name, that it has bytes. */
export function optionKind(code: number): OptionKind {
  return TABLE.get(code) ?? { name: String(code), codec: raw };
}

/** The code of an option by its name, or by its number in decimal, 1 to 254; undefined for what is neither. */
export function optionCode(nameOrNumber: string): number | undefined {
  const code = CODES.get(nameOrNumber);
  if (code !== undefined) return code;
  const number = /^[1-9]\d{0,2}$/.test(nameOrNumber) ? Number(nameOrNumber) : 255;
  return number < 255 ? number : undefined;
}
