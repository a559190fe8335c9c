/** netmoor engine: the resident process itself, and what one wants to know of it. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { askEngine } from '../../lib/engine/client.ts';
import { EngineError } from '../../lib/engine/errors.ts';
import { ENGINE_SOCKET } from '../../lib/engine/protocol.ts';
import { orderRequest } from '../../lib/engine/request.ts';
import { validate } from '../../schemas/compiled/cli-engine.js';
import type { EngineReport } from '../../schemas/compiled/cli-engine.js';
import { UsageError } from '../verb.ts';
import type { Report, Verb, VerbContext } from '../verb.ts';

/** Milliseconds that people wait. */
const PATIENCE = 10_000;

const ABSENT: EngineReport = { running: false, socket: ENGINE_SOCKET };

const MEBIBYTE = 1024 * 1024;

function isAbsent(error: unknown): boolean {
  return error instanceof EngineError && error.trouble === 'absent';
}

function textOf(report: EngineReport): string {
  const { running, pid, version, since, startedBy, idleExit, stopping, leases, timers } = report;
  if (!running) return `no engine at ${report.socket}\n`;
  const { requests, threads, memory, cpu, connections } = report;
  const lines = [
    `engine    netmoor ${version}, process ${pid}, since ${since}, started by ${startedBy}${stopping ? ', stopping' : ''}`,
    ...(idleExit === undefined ? [] : [`ends      after ${idleExit} s without a lease or a request`]),
    `leases    ${leases}, timers ${timers}`,
    `requests  ${requests?.served} served, ${requests?.failed} of them failed, ${requests?.late} late, ${requests?.refused} refused`,
    `now       ${requests?.running} running, ${requests?.waiting} waiting, ${connections} connections`,
    `threads   ${threads?.plugins} for plugins, ${threads?.tasks} for tasks`,
    `memory    ${((memory?.resident ?? 0) / MEBIBYTE).toFixed(1)} MiB`,
    `cpu       ${((cpu?.user ?? 0) + (cpu?.system ?? 0)).toFixed(2)} s`,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Exit code 1 when there is none: scripts ask, too. */
function status(): Report {
  try {
    const answer = askEngine(orderRequest('status'), PATIENCE);
    const report: unknown = 'report' in answer ? answer.report : undefined;
    if (!validate(report)) throw new NetmoorError('internal', 'the engine answers with another report', '');
    return { json: report, text: () => textOf(report) };
  } catch (error) {
    if (isAbsent(error)) return { json: ABSENT, text: () => textOf(ABSENT), failed: true };
    throw error;
  }
}

/** Absence is fine. */
function stop(): Report {
  try {
    const answer = askEngine(orderRequest('stop'), PATIENCE);
    const pid = 'stopping' in answer ? answer.stopping : undefined;
    return { json: { stopping: pid }, text: () => `process ${pid} ends when its requests have\n` };
  } catch (error) {
    if (isAbsent(error)) return { json: ABSENT, text: () => textOf(ABSENT) };
    throw error;
  }
}

function wholeNumber({ values }: VerbContext, name: string): number | undefined {
  const given = values.get(name)?.[0];
  if (given === undefined) return undefined;
  if (!/^\d{1,6}$/.test(given))
    throw new UsageError(`--${name} ${given} is no number`, 'give a whole number');
  return Number(given);
}

async function run(context: VerbContext): Promise<Report> {
  const { runEngine } = await import('../engine/run.ts');
  const idle = wholeNumber(context, 'idle-exit');
  const readyFd = wholeNumber(context, 'ready-fd');
  await runEngine({ idle, readyFd, environment: context.environment });
  return { json: ABSENT, text: () => '' };
}

export const verb: Verb = {
  about:
    'Runs the engine in the foreground: the process that keeps DHCP leases and answers for plugins. With "status", says ' +
    'what the one that runs does (exit code 1: there is none); with "stop", ends it when its requests have ended.',
  operand: '[status|stop]',
  options: [
    { name: 'idle-exit', value: 'SECONDS', about: 'end after that long without a lease or a request' },
    { name: 'ready-fd', value: 'FD', about: 'write a line there when it listens' },
  ],
  run(context) {
    const [what] = context.operands;
    if (what === undefined) return run(context);
    if (what === 'status') return status();
    if (what === 'stop') return stop();
    throw new UsageError(`engine does not know ${what}`, 'say status or stop, or nothing to run it');
  },
};
