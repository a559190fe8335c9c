/** Who may take the engine's place. */
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';

/** Whether nobody but us can have put that file there, to be run as us. */
export function isOurs(file: string): boolean {
  try {
    const stat = statSync(file);
    return isAbsolute(file) && stat.isFile() && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0;
  } catch {
    return false;
  }
}
