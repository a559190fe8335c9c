/** What netmoor install says of what it has done, or would do (schemas/cli-install.schema.json). */
import type { InstallOutput } from '../../schemas/compiled/cli-install.js';
import { obsolete } from './carry-out.ts';
import { look } from './disk.ts';
import { isUntouched } from './manifest.ts';
import type { InstalledManifest } from './manifest.ts';
import type { Origin } from './origin.ts';
import type { Entry } from './plan.ts';
import type { Asked, Prepared } from './prepare.ts';

/** What an earlier installation had, and this one has not. */
function formerStep(entry: Entry, before: InstalledManifest | undefined): InstallOutput['steps'][number] {
  const { path, purpose } = entry;
  const found = look(path);
  if (found === undefined || isUntouched(before, entry, found)) return { path, purpose, action: 'remove' };
  return { path, purpose, action: 'leave', why: 'it was changed since it was installed' };
}

export function viewOf(asked: Asked, origin: Origin, { steps, shadows }: Prepared): InstallOutput {
  const { layout, before, dryRun } = asked;
  return {
    prefix: layout.prefix,
    cniBin: layout.cniBin,
    dryRun,
    launcher: origin.launcher !== undefined,
    steps: [
      ...steps.map(({ wanted: { path, purpose, content }, action, why }) => ({
        path,
        purpose,
        action,
        ...(content.kind === 'link' ? { target: content.target } : {}),
        ...(why === undefined ? {} : { why }),
      })),
      ...obsolete(before, steps).map((entry) => formerStep(entry, before)),
    ],
    shadows: [...shadows],
    notes: [],
  };
}

const DID: Readonly<Record<InstallOutput['steps'][number]['action'], readonly [string, string]>> = {
  write: ['wrote', 'would write'],
  replace: ['replaced', 'would replace'],
  aside: ['replaced', 'would replace'],
  keep: ['is there', 'is there'],
  leave: ['left', 'would leave'],
  remove: ['removed', 'would remove'],
};

export function formatInstall({ dryRun, steps, shadows, notes }: InstallOutput): string {
  const lines = [
    ...steps.map(({ action, path, target, why }) => {
      const arrow = target === undefined ? '' : ` -> ${target}`;
      return `${DID[action][dryRun ? 1 : 0]} ${path}${arrow}${why === undefined ? '' : ` (${why})`}`;
    }),
    ...shadows.map(
      ({ name, path }) => `another ${name} is ${path}: the runtime's search path says which one counts`,
    ),
    ...notes,
  ];
  return lines.map((line) => `${line}\n`).join('');
}
