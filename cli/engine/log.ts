/**
 * The engine's log: lines on stderr, with the priorities of sd-daemon(3) where that is the journal; by syslog where
 * stderr leads nowhere. Nothing waits for its reader: when too many lines are on their way, further ones are counted.
 */
import { write } from 'node:fs';
import type { Priority } from '../../lib/cni/resident.ts';
import { sendDatagram } from '../../lib/system/datagram.ts';

const STDERR = 2;
const SYSLOG = '/dev/log';
/** LOG_DAEMON, syslog(3). */
const FACILITY = 3 << 3;
const MOST_LINES = 1_000;
/** Characters of a line: what plugins say may be long, and as many as MOST_LINES are kept. */
const LONGEST_LINE = 4_096;

const PRIORITIES: Readonly<Record<Priority, number>> = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 };

export type Log = (priority: Priority, line: string) => void;

export interface Logger {
  readonly log: Log;
  /** Resolves when nothing is on its way any more. */
  readonly written: () => Promise<void>;
}

/** A line stays a line, whatever is quoted in it. */
function oneLine(text: string): string {
  return text.slice(0, LONGEST_LINE).replaceAll(/\p{Cc}+/gu, ' ');
}

export function syslog(): Logger {
  const log: Log = (priority, line) => {
    const text = `<${FACILITY | PRIORITIES[priority]}>netmoor-engine[${process.pid}]: ${oneLine(line)}`;
    try {
      sendDatagram(SYSLOG, Buffer.from(text));
    } catch {
      // Nobody keeps a log here.
    }
  };
  return { log, written: async () => {} };
}

/** One line after the other by way of libuv's threads. */
export function stderrLog(prefixed: boolean, fd = STDERR): Logger {
  const lines: string[] = [];
  const state = { writing: false, dropped: 0 };
  const waiting: (() => void)[] = [];
  const next = (): void => {
    if (state.dropped > 0 && lines.length === 0) {
      lines.push(`${prefixed ? '<4>' : ''}${state.dropped} lines could not be logged\n`);
      state.dropped = 0;
    }
    const text = lines.splice(0).join('');
    state.writing = text !== '';
    if (state.writing) write(fd, text, () => next());
    else for (const resolve of waiting.splice(0)) resolve();
  };
  const log: Log = (priority, line) => {
    if (lines.length >= MOST_LINES) {
      state.dropped += 1;
      return;
    }
    lines.push(`${prefixed ? `<${PRIORITIES[priority]}>` : ''}${oneLine(line)}\n`);
    if (!state.writing) next();
  };
  const written = async (): Promise<void> => {
    if (state.writing) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { log, written };
}
