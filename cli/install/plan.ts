/** What an installation consists of. Pure. */
import type { InstalledManifest } from '../../schemas/compiled/installed.js';
import { LOOPBACK, HOOK_FILE, EXAMPLE_NETWORK, PLUGINS } from './layout.ts';
import type { Layout } from './layout.ts';
import type { Origin } from './origin.ts';
import { ENGINE_UNITS, HOOK, NETWORK, REPAIR_UNITS, STAY, unitText } from './texts.ts';
import type { Texts } from './texts.ts';

export type Entry = InstalledManifest['entries'][number];
export type Purpose = Entry['purpose'];

export type Content =
  /** A program, too large to be held in memory. */
  | { readonly kind: 'copy'; readonly from: string }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly mode: number }
  | { readonly kind: 'link'; readonly target: string };

export interface Wanted {
  readonly path: string;
  readonly purpose: Purpose;
  readonly content: Content;
  /** Only where nothing of the kind is there: what is there is left, and it is no mistake. */
  readonly optional?: boolean;
}

export interface Wishes {
  readonly layout: Layout;
  /** Beside those that are always installed. */
  readonly names: readonly string[];
  readonly engine: boolean;
  readonly hooks: string;
  /** Whether the example is to be there: no network is configured, or it is ours. */
  readonly network: boolean;
  readonly completions: readonly { readonly path: string; readonly text: string }[];
}

function text(path: string, purpose: Purpose, content: string, mode = 0o644): Wanted {
  return { path, purpose, content: { kind: 'bytes', bytes: Buffer.from(content), mode } };
}

function link(path: string, purpose: Purpose, target: string): Wanted {
  return { path, purpose, content: { kind: 'link', target } };
}

function programs({ own, bin }: Layout, { executable, launcher, native }: Origin): Wanted[] {
  return [
    {
      path: `${own}/${native.name}`,
      purpose: 'program',
      content: { kind: 'bytes', bytes: native.content, mode: 0o755 },
    },
    { path: `${own}/netmoor`, purpose: 'program', content: { kind: 'copy', from: executable } },
    ...(launcher === undefined
      ? []
      : [
          { path: `${own}/launcher`, purpose: 'program', content: { kind: 'copy', from: launcher } } as const,
        ]),
    link(`${bin}/netmoor`, 'name', '../lib/netmoor/netmoor'),
  ];
}

/** What the names lead to: the launcher, or where there is none the executable. */
function frontOf({ launcher }: Origin): string {
  return launcher === undefined ? 'netmoor' : 'launcher';
}

function names({ layout, names: further }: Wishes, origin: Origin): Wanted[] {
  const { bin, cniBin, own } = layout;
  const front = frontOf(origin);
  const plugin = (name: string): Wanted => link(`${cniBin}/${name}`, 'name', `${own}/${front}`);
  const asked = further.filter((name) => name !== LOOPBACK);
  return [
    link(`${bin}/netmoor-hook`, 'name', `../lib/netmoor/${front}`),
    ...[...PLUGINS, ...asked].map(plugin),
    { ...plugin(LOOPBACK), optional: !further.includes(LOOPBACK) },
  ];
}

function units({ layout, engine }: Wishes, texts: Texts): Wanted[] {
  const all = [...REPAIR_UNITS, ...ENGINE_UNITS, ...(engine ? [STAY] : [])];
  return all.map((unit) => {
    const written = texts(unitText(unit)).replaceAll('/usr/local/bin/', `${layout.bin}/`);
    return text(`${layout.units}/${unit}`, 'unit', written);
  });
}

/** In the order they are written: a name comes after what it leads to. */
export function planOf(wishes: Wishes, origin: Origin): Wanted[] {
  const { layout, hooks, network, completions } = wishes;
  const hook = origin.texts(HOOK).replaceAll('/usr/local/bin/', `${layout.bin}/`);
  return [
    ...programs(layout, origin),
    ...names(wishes, origin),
    ...units(wishes, origin.texts),
    text(`${hooks}/${HOOK_FILE}`, 'hook', hook),
    ...completions.map(({ path, text: content }) => text(path, 'completion', content)),
    ...(network ? [text(EXAMPLE_NETWORK, 'network', origin.texts(NETWORK))] : []),
  ];
}
