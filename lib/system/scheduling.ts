/** How the kernel's scheduler treats threads of this process (sched(7)). */
import { readdirSync } from 'node:fs';
import { Libc } from './native.ts';
import { processName } from './process.ts';

const SCHED_BATCH = 3;

/**
 * From now on the threads of that name take no processor from another thread by waking up: they get their share, and
 * whatever is idle. Where the kernel refuses, or shows no threads, they stay as they are.
 */
export function wakeModestly(name: string): void {
  const priority = Buffer.alloc(4);
  try {
    for (const thread of readdirSync('/proc/self/task').map(Number))
      if (processName(thread) === name)
        Libc.get().call('int sched_setscheduler(int, int, const void *)', thread, SCHED_BATCH, priority);
  } catch {
    // A thread that has ended meanwhile, or no /proc.
  }
}
