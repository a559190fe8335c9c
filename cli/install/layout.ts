/** Where an installation has what, by its prefix. Pure. */
import { resolve } from 'node:path';
import { PLUGIN_PATH } from '../../lib/cni/lists/places.ts';
import { KINDS } from '../../plugins/kinds.ts';
import { STAND_INS } from '../stand-ins.ts';
import { UsageError } from '../verb.ts';
import type { CompletionPlaces } from './completion/files.ts';

export const DEFAULT_PREFIX = '/usr/local';
export const DEFAULT_CNI_BIN = '/opt/cni/bin';
export const NETWORKS = '/etc/cni/net.d';
export const EXAMPLE_NETWORK = `${NETWORKS}/10-netmoor.conflist`;

/** podman and CRI-O read the first; the second where that cannot be written. */
export const HOOK_DIRECTORIES = ['/usr/share/containers/oci/hooks.d', '/etc/containers/oci/hooks.d'] as const;
export const HOOK_FILE = '99-netmoor.json';

/** Plugins that are always installed. */
export const PLUGINS: readonly string[] = [...KINDS.keys(), 'dhcp-ipam', 'netmoor'];
/** Where the directory has none. */
export const LOOPBACK = 'loopback';

/** Directories of plugins that runtimes look into: podman's and ours, containerd's, CRI-O's and rkt's among them. */
export const USUAL_DIRECTORIES: readonly string[] = [
  ...new Set([...PLUGIN_PATH, '/usr/local/libexec/cni', '/usr/lib/rkt/plugins/net']),
];

export interface Layout {
  readonly prefix: string;
  readonly cniBin: string;
  /** The one directory of executable, launcher and native module. */
  readonly own: string;
  readonly manifest: string;
  readonly bin: string;
  readonly units: string;
  readonly completions: CompletionPlaces;
}

/** systemd.unit(5): of other prefixes systemd does not know. */
function unitsOf(prefix: string): string {
  return ['/usr', '/usr/local'].includes(prefix) ? `${prefix}/lib/systemd/system` : '/etc/systemd/system';
}

/** fish looks into /usr/local only for those whose session says so (XDG_DATA_DIRS), which a login by ssh does not. */
function completionsOf(prefix: string): CompletionPlaces {
  const share = `${prefix}/share`;
  return {
    bash: `${share}/bash-completion/completions`,
    fish: prefix === '/usr' ? `${share}/fish/vendor_completions.d` : '/etc/fish/completions',
    zsh: `${share}/zsh/site-functions`,
  };
}

/** What units and completions can bear without quotation. */
const PLAIN_PATH = /^\/[\w.+@/-]*$/;

function directory(option: string, given: string): string {
  const path = resolve(given);
  if (PLAIN_PATH.test(path) && path !== '/') return path;
  throw new UsageError(
    `--${option} ${given}: such a path cannot be written into a unit of systemd`,
    'give a directory whose name has letters, digits and . _ + @ - only',
  );
}

/** The names that are in both would be one file. */
export function notForPluginsAlone(cniBin: string): UsageError {
  return new UsageError(
    `--cni-bin ${cniBin}: the command and the plugin of the name netmoor would be one file`,
    'name a directory for plugins alone',
  );
}

export function layoutOf(prefix: string, cniBin: string): Layout {
  const root = directory('prefix', prefix);
  const own = `${root}/lib/netmoor`;
  const bin = `${root}/bin`;
  const plugins = directory('cni-bin', cniBin);
  if (plugins === own || plugins === bin) throw notForPluginsAlone(cniBin);
  return {
    prefix: root,
    cniBin: plugins,
    own,
    manifest: `${own}/installed.json`,
    bin,
    units: unitsOf(root),
    completions: completionsOf(root),
  };
}

/** `--names`, a list with commas: further names that netmoor serves. Throws UsageError. */
export function readNames(lists: readonly string[]): string[] {
  const names = lists.flatMap((list) => list.split(',')).filter((name) => name !== '');
  const unknown = names.find((name) => name !== LOOPBACK && !STAND_INS.has(name));
  if (unknown === undefined) return [...new Set(names)].toSorted();
  throw new UsageError(
    `--names ${unknown}: netmoor does not serve a plugin of that name`,
    `it serves ${[...STAND_INS.keys(), LOOPBACK].join(', ')}`,
  );
}
