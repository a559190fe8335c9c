/**
 * Texts of the source tree that an installation consists of; in the single executable they are assets under the same
 * names (cli/build/executable.ts).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const UNITS = 'cli/engine/units';

export const REPAIR_UNITS: readonly string[] = ['netmoor-repair.service', 'netmoor-repair-reload.service'];
export const ENGINE_UNITS: readonly string[] = ['netmoor-engine.socket', 'netmoor-engine.service'];
/** The engine stays when nobody has asked it anything for a while. */
export const STAY = 'netmoor-engine.service.d/stay.conf';

export function unitText(unit: string): string {
  return `${UNITS}/${unit}`;
}

export const HOOK = 'hooks/oci/hooks.d/99-netmoor.json';
export const NETWORK = 'schemas/examples/installed.conflist';

export const INSTALLED_TEXTS: readonly string[] = [
  ...[...REPAIR_UNITS, ...ENGINE_UNITS, STAY].map(unitText),
  HOOK,
  NETWORK,
];

/** The text of that name. */
export type Texts = (name: string) => string;

export function textsOf(sea: { isSea(): boolean; getAsset(key: string, encoding: 'utf8'): string }): Texts {
  if (sea.isSea()) return (name) => sea.getAsset(name, 'utf8');
  return (name) => readFileSync(join(import.meta.dirname, '../..', name), 'utf8');
}
