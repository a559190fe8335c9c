/** systemd, where it runs: units are enabled and disabled by its own command. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** sd_booted(3) */
const BOOTED = '/run/systemd/system';

export function systemdRuns(): boolean {
  return existsSync(BOOTED);
}

/** What went wrong, in words; undefined: nothing. */
export function systemctl(...args: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync('systemctl', [...args], { encoding: 'utf8' });
  if (error) return `systemctl cannot be started: ${error.message}`;
  return status === 0 ? undefined : `systemctl ${args.join(' ')}: ${stderr.trim()}`;
}

/** Runs each, whatever becomes of those before. */
export function systemctlAll(commands: readonly (readonly string[])[]): string[] {
  return commands.flatMap((args) => systemctl(...args) ?? []);
}
