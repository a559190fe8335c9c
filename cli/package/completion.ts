/** Shell completion, as the verb of that name writes it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BIN } from '../build/paths.ts';
import { VERBS } from '../netmoor.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** For each shell that netmoor knows; none where the verb is missing. */
export function completions(): Map<Shell, string> {
  if (!Object.hasOwn(VERBS, 'completion')) return new Map();
  return new Map(
    SHELLS.flatMap((shell) => {
      const { status, stdout } = spawnSync(join(BIN, 'netmoor'), ['completion', shell], { encoding: 'utf8' });
      return status === 0 && stdout !== '' ? [[shell, stdout]] : [];
    }),
  );
}
