/** netmoor uninstall: takes away what netmoor install has written, and nothing else. */
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { NetmoorError } from '../../lib/base/errors.ts';
import type { UninstallOutput } from '../../schemas/compiled/cli-uninstall.js';
import { refuseAttached } from '../install/attached.ts';
import { stopEngineOf } from '../install/engine.ts';
import { DEFAULT_CNI_BIN, layoutOf } from '../install/layout.ts';
import type { Layout } from '../install/layout.ts';
import { readManifest } from '../install/manifest.ts';
import type { InstalledManifest } from '../install/manifest.ts';
import { purge } from '../install/purge.ts';
import { foresee, remove } from '../install/remove.ts';
import { defaultPrefix, requireWritable } from '../install/surroundings.ts';
import { systemctlAll, systemdRuns } from '../install/systemd.ts';
import type { Report, Verb, VerbContext } from '../verb.ts';

function requireManifest({ manifest: path, prefix }: Layout): InstalledManifest {
  const manifest = readManifest(path);
  if (manifest !== undefined) return manifest;
  throw new NetmoorError(
    'io',
    `nothing is installed in ${prefix}: there is no ${path}`,
    'name another --prefix; what a package has installed, its package manager removes',
  );
}

/** Units that others want, as we or a person told systemd, are disabled first: their links would lead nowhere. */
function stopAll({ own }: Layout, { entries }: InstalledManifest, { world }: VerbContext): string[] {
  const units = entries.filter(({ path, purpose }) => purpose === 'unit' && !path.endsWith('.conf'));
  const names = units.map(({ path }) => basename(path));
  const problems = systemdRuns() && names.length > 0 ? systemctlAll([['disable', '--now', ...names]]) : [];
  return [...problems, ...stopEngineOf(`${own}/netmoor`, world)];
}

function formatUninstall({ dryRun, removed, restored = [], left, notes }: UninstallOutput): string {
  const lines = [
    ...removed.map((path) => `${dryRun ? 'would remove' : 'removed'} ${path}`),
    ...restored.map((path) => `${dryRun ? 'would bring back' : 'brought back'} what was at ${path} before`),
    ...left.map(({ path, why }) => `left ${path}: ${why}`),
    ...notes,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function uninstall(context: VerbContext): Report {
  const { switches, values, world } = context;
  const layout = layoutOf(values.get('prefix')?.[0] ?? defaultPrefix(), DEFAULT_CNI_BIN);
  const manifest = requireManifest(layout);
  const dryRun = switches.has('dry-run');
  const directories = manifest.entries.map(({ path }) => dirname(path));
  requireWritable([layout.own, ...directories.filter((directory) => existsSync(directory))]);
  if (!switches.has('force')) refuseAttached(context);
  const problems = dryRun ? [] : stopAll(layout, manifest, context);
  const removal = dryRun ? foresee(manifest) : remove(layout, manifest);
  if (!dryRun && systemdRuns()) problems.push(...systemctlAll([['daemon-reload']]));
  const purged = switches.has('purge') ? purge(world, dryRun) : [];
  const view: UninstallOutput = {
    prefix: layout.prefix,
    dryRun,
    ...removal,
    removed: [...removal.removed, ...purged],
    notes: problems,
  };
  return { json: view, text: () => formatUninstall(view), failed: problems.length > 0 };
}

export const verb: Verb = {
  about:
    'Takes away what "netmoor install" has written, as its record says; what a person has changed since is left. Not ' +
    'while containers are attached. Ends the engine. The lease store stays, unless it is to go as well.',
  options: [
    { name: 'prefix', value: 'DIR', about: 'where it is installed; default: where this one is' },
    { name: 'force', about: 'even while containers are attached' },
    { name: 'purge', about: 'remove the lease stores, too, and what is in /run/netmoor' },
    { name: 'dry-run', about: 'say what would be removed, and change nothing' },
  ],
  run: (context) => uninstall(context),
};
