/** Which units are to be enabled, and having systemd do it. */
import type { InstalledManifest } from './manifest.ts';
import { systemctlAll, systemdRuns } from './systemd.ts';
import { ENGINE_UNITS, REPAIR_UNITS } from './texts.ts';

/** None where systemd does not run, but for those that it was told of when it did. */
export function wantedUnits(engine: boolean, before: InstalledManifest | undefined): string[] {
  const units = [...REPAIR_UNITS, ...(engine ? ENGINE_UNITS : [])];
  return units.filter((unit) => systemdRuns() || before?.enabled.includes(unit) === true);
}

interface Change {
  readonly before: InstalledManifest | undefined;
  /** Anything on disk: an engine that runs is of the version before. */
  readonly changed: boolean;
}

/** Returns what went wrong. A unit that a person has disabled since stays so. */
export function enableUnits(enabled: readonly string[], { before, changed }: Change): string[] {
  if (!systemdRuns() || !changed) return [];
  const fresh = enabled.filter((unit) => before?.enabled.includes(unit) !== true);
  return systemctlAll([
    ['daemon-reload'],
    ...(fresh.length === 0 ? [] : [['enable', '--now', ...fresh]]),
    ...(before === undefined ? [] : [['try-restart', 'netmoor-engine.service']]),
  ]);
}
