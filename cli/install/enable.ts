/** Which units are to be enabled, and having systemd do it. */
import type { Layout } from './layout.ts';
import { readManifest, writeManifest } from './manifest.ts';
import type { InstalledManifest } from './manifest.ts';
import { systemctl, systemctlAll, systemdRuns } from './systemd.ts';
import { ENGINE_UNITS, REPAIR_UNITS } from './texts.ts';

/** None where systemd does not run, but for those that it was told of when it did. */
export function wantedUnits(engine: boolean, before: InstalledManifest | undefined): string[] {
  const units = [...REPAIR_UNITS, ...(engine ? ENGINE_UNITS : [])];
  return units.filter((unit) => systemdRuns() || before?.enabled.includes(unit) === true);
}

interface Change {
  readonly layout: Layout;
  readonly before: InstalledManifest | undefined;
  /** Anything on disk: an engine that runs is of the version before. */
  readonly changed: boolean;
}

/** On record once they are: who is killed, or refused by systemd, can do it again. Returns what went wrong. */
function enable(units: readonly string[], { layout }: Change): string[] {
  const problem = systemctl('enable', '--now', ...units);
  if (problem !== undefined) return [problem];
  const manifest = readManifest(layout.manifest);
  if (manifest !== undefined)
    writeManifest(layout.manifest, { ...manifest, enabled: [...manifest.enabled, ...units] });
  return [];
}

/** Returns what went wrong. A unit that a person has disabled since stays so. */
export function enableUnits(wanted: readonly string[], change: Change): string[] {
  const { before, changed } = change;
  const fresh = wanted.filter((unit) => before?.enabled.includes(unit) !== true);
  if (!systemdRuns() || (!changed && fresh.length === 0)) return [];
  return [
    ...systemctlAll([['daemon-reload']]),
    ...(fresh.length === 0 ? [] : enable(fresh, change)),
    ...(before === undefined || !changed ? [] : systemctlAll([['try-restart', 'netmoor-engine.service']])),
  ];
}
