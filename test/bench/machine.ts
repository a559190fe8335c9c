/** What figures depend on besides the programs: told with them, so that they can be compared with others. */
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';

/**
 * Opening a file in /proc/sys/net takes a millisecond where dead network namespaces have left hundreds of thousands of
 * directory entries behind: the first number of dentry-state (Documentation/admin-guide/sysctl/fs.rst).
 */
function directoryEntries(): number {
  return Number(readFileSync('/proc/sys/fs/dentry-state', 'utf8').split('\t')[0]);
}

function distribution(): string {
  return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown distribution';
}

/** One line. */
export function describeMachine(): string {
  const [load = 0] = loadavg();
  return [
    `${availableParallelism()} processors`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `Linux ${release().split('-')[0]}`,
    distribution(),
    `Node.js ${process.versions.node}`,
    `load average ${load.toFixed(1)}${load > 1 ? ' (busy: figures too high, ratios unsteady)' : ''}`,
    `${directoryEntries()} directory entries (dentry-state)`,
  ].join(', ');
}
