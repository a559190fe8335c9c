/** All manual pages. */
import { VERBS } from '../../netmoor.ts';
import type { Release } from '../release.ts';
import { hookPage } from './hook-page.ts';
import { format } from './mdoc.ts';
import { netmoorPage } from './netmoor-page.ts';
import { pluginPage } from './plugin-page.ts';
import type { PluginText } from './plugin-page.ts';

const PLUGINS: readonly PluginText[] = [
  {
    name: 'bridge-nat',
    about: 'CNI plugin: bridge, NAT, published ports, isolation, bandwidth',
    example: {
      cniVersion: '1.0.0',
      name: 'harbour',
      plugins: [{ type: 'bridge-nat', capabilities: { portMappings: true } }],
    },
  },
  {
    name: 'macvlan-v6',
    about: 'CNI plugin: a host of its own on the LAN, IPv6 first',
    example: { cniVersion: '1.0.0', name: 'lan', plugins: [{ type: 'macvlan-v6', master: 'eth0' }] },
  },
  {
    name: 'dhcp-ipam',
    about: 'CNI plugin: addresses from DHCP and DHCPv6 servers',
    example: {
      cniVersion: '1.0.0',
      name: 'lan',
      plugins: [{ type: 'macvlan-v6', master: 'eth0', ipam: { type: 'dhcp-ipam' } }],
    },
  },
];

export interface PageFile {
  /** "netmoor.1" */
  readonly file: string;
  readonly section: number;
  readonly text: string;
}

export async function manPages({ version, epoch }: Pick<Release, 'version' | 'epoch'>): Promise<PageFile[]> {
  const pages = [await netmoorPage(VERBS), ...PLUGINS.map(pluginPage), hookPage()];
  return pages.map((page) => ({
    file: `${page.name}.${page.section}`,
    section: page.section,
    text: format(page, version, epoch),
  }));
}
