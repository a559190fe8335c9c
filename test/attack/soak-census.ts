/** What the engine's process holds: by kind, so that what is too much has a name. */
import { askStatus } from '../kernel/engine-bed.ts';
import { until } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';

export interface Census {
  /** "socket", "anon_inode:[eventfd]", "net", "/var/lib/cni/netmoor/leases.db" …: how many descriptors. */
  readonly descriptors: Readonly<Record<string, number>>;
  readonly threads: number;
  /** Those among them that do what is asked for. */
  readonly workers: number;
  /** Network namespaces that its threads are in. */
  readonly namespaces: number;
  /** Mounts of namespaces. */
  readonly mounts: number;
  /** KiB. */
  readonly resident: number;
  /** Bytes. */
  readonly heap: number;
}

function kindOf(target: string): string {
  return target.replace(/:\[\d+\]$/, '').replace(/ \(deleted\)$/, '');
}

function counted(lines: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of lines.map(kindOf).sort()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

export function total({ descriptors }: Census): number {
  return Object.values(descriptors).reduce((sum, count) => sum + count, 0);
}

/**
 * Resolves when nobody asks it for anything any more, and it has no more workers than those: further ones, which there
 * are while all others wait for something, end after half a minute.
 */
export async function takeCensus(host: Host, pid: number, most = Infinity): Promise<Census> {
  const { memory, workers } = await until(
    async () => {
      const report = await askStatus(host);
      const { running = 1, waiting = 1 } = report.requests ?? {};
      const { plugins = 0, tasks = 0 } = report.threads ?? {};
      const workers = plugins + tasks;
      const rests = running + waiting === 0 && report.connections === 1 && workers <= most;
      return rests ? { ...report, workers } : undefined;
    },
    'the engine rests',
    60_000,
  );
  const script = `
    for fd in /proc/${pid}/fd/*; do readlink $fd || :; done
    echo --; ls /proc/${pid}/task | wc -l
    for task in /proc/${pid}/task/*; do readlink $task/ns/net; done | sort -u | wc -l
    grep -c nsfs /proc/${pid}/mountinfo || :
    awk '/^VmRSS/ { print $2 }' /proc/${pid}/status`;
  const [links = '', rest = ''] = (await host.shell(script)).split('--\n');
  const [threads = 0, namespaces = 0, mounts = 0, resident = 0] = rest.trim().split(/\s+/).map(Number);
  const descriptors = counted(links.trim().split('\n'));
  return { descriptors, threads, workers, namespaces, mounts, resident, heap: memory?.heap ?? 0 };
}

/** Descriptors of a kind that come with a worker, which has a loop of its own and the store open. */
const OF_A_WORKER: Readonly<Record<string, number>> = { pipe: 2, socket: 0, net: 0 };

/**
 * SQLite keeps the descriptor of a connection that is closed while another one is open to the same file, since closing
 * it would drop the locks of both, and gives it to the next: there are as many as there were workers at one time.
 */
const STORE = /\/leases\.db$/;
const MOST_WORKERS = 20;

/** What there is more of than before, in words; of which workers that have come have their share. */
export function grown(before: Census, after: Census): string[] {
  const kinds = Object.keys(after.descriptors);
  return kinds.flatMap((kind) => {
    const [then, now] = [before.descriptors[kind] ?? 0, after.descriptors[kind] ?? 0];
    const share = Math.max(0, after.workers - before.workers) * (OF_A_WORKER[kind] ?? 1);
    return now > (STORE.test(kind) ? MOST_WORKERS : then + share) ? [`${kind}: ${then}, then ${now}`] : [];
  });
}
