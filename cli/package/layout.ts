/** What every package has, wherever it puts it. */
import { join } from 'node:path';
import { ROOT } from '../build/paths.ts';
import type { Target } from '../build/paths.ts';
import { PROGRAMS } from '../programs.ts';
import { filesBelow } from './entry.ts';
import type { Entry } from './entry.ts';

/** Where the sources' units, hooks and examples expect the programs. */
const SOURCE_BIN = '/usr/local/bin';

/** The executable, and the launcher beside it, in the one directory they have to share. */
export function programs(target: Target, directory: string): Entry[] {
  return [
    { path: `${directory}/netmoor`, copyOf: join(target.bin, 'netmoor'), mode: 0o755 },
    { path: `${directory}/launcher`, copyOf: target.launcher, mode: 0o755 },
  ];
}

/** Names below which a container runtime looks for plugins; `netmoor` is one, of IPAM. */
export function pluginNames(): string[] {
  return [...PROGRAMS.keys()].filter((name) => name !== 'netmoor-hook' && !SHADOWING.has(name));
}

/** Names of the reference's plugins, which have a Debian package of their own. */
const SHADOWING: ReadonlySet<string> = new Set(['bridge', 'host-local', 'loopback', 'macvlan', 'dhcp']);

/** The text of a unit, hook or example, for programs in `bin`. */
function movedTo(bin: string): (text: string) => string {
  return (text) => text.replaceAll(`${SOURCE_BIN}/netmoor`, `${bin}/netmoor`);
}

export function units(directory: string, bin: string): Entry[] {
  return filesBelow(join(ROOT, 'cli/engine/units'), directory, movedTo(bin));
}

export function hooksD(directory: string, bin: string): Entry[] {
  return filesBelow(join(ROOT, 'hooks/oci/hooks.d'), directory, movedTo(bin));
}

/** Networks, and containers of every kind. */
export function examples(directory: string, bin: string): Entry[] {
  const change = movedTo(bin);
  return [
    ...filesBelow(join(ROOT, 'schemas/examples'), `${directory}/networks`),
    ...filesBelow(join(ROOT, 'hooks/examples'), `${directory}/containers`, change),
    ...filesBelow(join(ROOT, 'hooks/oci/examples'), `${directory}/oci`, change),
  ];
}

/** The README and the pages it leads to. */
export function documents(directory: string): Entry[] {
  const pages = {
    'README.md': 'README.md',
    'SECURITY.md': 'SECURITY.md',
    'bridge-nat.md': 'plugins/bridge-nat/README.md',
    'macvlan-v6.md': 'plugins/macvlan-v6/README.md',
    'dhcp-ipam.md': 'plugins/dhcp-ipam/README.md',
    'netmoor-hook.md': 'hooks/oci/README.md',
  };
  return Object.entries(pages).map(([name, file]) => ({
    path: `${directory}/${name}`,
    copyOf: join(ROOT, file),
  }));
}
