/**
 * A log of its own, for crun sends what a hook writes to /dev/null: syslog's socket, which journald and every syslogd serve
 * (RFC 3164, section 4.1), or a file where there is none.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory } from '../../lib/system/directory.ts';
import { sendDatagram } from '../../lib/system/datagram.ts';

export type Severity = 'error' | 'info';

export interface Log {
  /** One line. What cannot be logged is lost: nothing may fail for that. */
  write(severity: Severity, line: string): void;
}

const SOCKETS = ['/dev/log', '/run/systemd/journal/dev-log'];
const FILES = ['/var/log/netmoor-hook.log', '/run/netmoor/log'];

/** Facility "daemon" (3) with severity "err" (3) or "info" (6). */
const PRIORITY: Readonly<Record<Severity, number>> = { error: 27, info: 30 };

const LONGEST = 2000;

/** On one line, without anything that a terminal would obey. */
export function singleLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point
  const line = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}…`;
}

function append(file: string, line: string): void {
  makeDirectory(dirname(file));
  const flags =
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = openSync(file, flags, 0o640);
  try {
    writeSync(fd, line);
  } finally {
    closeSync(fd);
  }
}

function succeeds(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

/** The log of this process; with `file` it goes there and nowhere else. */
export function openLog(process: { readonly pid: number; readonly now: () => number }, file?: string): Log {
  const tag = `netmoor-hook[${process.pid}]`;
  return {
    write(severity, text) {
      const line = singleLine(text);
      const toFile = (path: string): boolean =>
        succeeds(() => append(path, `${new Date(process.now()).toISOString()} ${tag}: ${line}\n`));
      if (file !== undefined) return void toFile(file);
      const datagram = Buffer.from(`<${PRIORITY[severity]}>${tag}: ${line}`);
      void (SOCKETS.some((socket) => succeeds(() => sendDatagram(socket, datagram))) || FILES.some(toFile));
    },
  };
}
