/** Letting go of what a process has mapped of its executable and does not need at the moment (madvise(2)). */
import { readFileSync } from 'node:fs';
import { Libc } from './native.ts';

const MADV_DONTNEED = 4;

/** Of proc_pid_smaps(5): a mapping's first line, where it lies, what is allowed, and the file. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ +(\/.*)$/;
const UNTOUCHED = 'Anonymous:             0 kB';

/**
 * Unmaps the pages of this process's executable, which start-up touched once for all; those that are needed again come
 * back from the page cache. What has been written to, also before it was made read-only (relocations), stays: its
 * content is nowhere else.
 */
export function dropFilePages(): void {
  const sections = readFileSync('/proc/self/smaps', 'latin1').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  for (const section of sections) {
    const [head = ''] = section.split('\n', 1);
    const [, first = '', last = '', rights = '', file] = MAPPING.exec(head) ?? [];
    const clean = !rights.includes('w') && section.includes(`\n${UNTOUCHED}\n`);
    if (file !== process.execPath || !clean) continue;
    const from = BigInt(`0x${first}`);
    const length = BigInt(`0x${last}`) - from;
    Libc.get().call('int madvise(uintptr_t, size_t, int)', from, length, MADV_DONTNEED);
  }
}
