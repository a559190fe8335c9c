/** What the engine says of itself (schemas/cli-engine.schema.json). */
import type { ResidentStatus } from '../../lib/cni/resident.ts';
import { VERSION } from '../../lib/engine/request.ts';
import type { EngineReport } from '../../schemas/compiled/cli-engine.js';
import type { Counts } from './counts.ts';

export interface EngineFacts {
  readonly socket: string;
  readonly since: Date;
  readonly startedBy: 'systemd' | 'plugin' | 'command';
  /** Milliseconds. */
  readonly idle: number | undefined;
  readonly stopping: boolean;
  readonly held: readonly ResidentStatus[];
  readonly counts: Counts;
  readonly connections: number;
  readonly threads: { readonly plugins: number; readonly tasks: number };
}

const MICROSECONDS = 1_000_000;

export function reportOf(facts: EngineFacts): EngineReport {
  const { idle, held } = facts;
  const sum = (pick: (status: ResidentStatus) => number): number =>
    held.reduce((total, status) => total + pick(status), 0);
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    running: true,
    socket: facts.socket,
    pid: process.pid,
    version: VERSION,
    since: facts.since.toISOString(),
    startedBy: facts.startedBy,
    ...(idle === undefined ? {} : { idleExit: Math.round(idle / 1000) }),
    stopping: facts.stopping,
    leases: sum(({ leases }) => leases),
    timers: sum(({ timers }) => timers),
    requests: { ...facts.counts },
    connections: facts.connections,
    threads: { ...facts.threads },
    memory: { resident: rss, heap: heapUsed },
    cpu: { user: user / MICROSECONDS, system: system / MICROSECONDS },
  };
}
