/**
 * A log of its own, for crun sends what a hook writes to /dev/null: syslog's socket, which journald and every syslogd
 * serve (RFC 3164, section 4.1), or a file where there is none.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory } from '../../lib/system/directory.ts';
import { sendDatagram } from '../../lib/system/datagram.ts';
import { tryLock } from '../../lib/system/lock.ts';

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

/** The file of the log, and the one before it, hold about as much as this each. */
const FILE_BYTES = 1024 * 1024;

/** On one line, without anything that a terminal would obey. */
export function singleLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point
  const line = text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}…`;
}

function openAppending(file: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  return openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o640);
}

/**
 * A file that has grown to its limit becomes FILE.1, in the place of the one before. Whoever has its lock may rename
 * it, and only if it still has its name: of several writers one does, and the others' lines go to the old file or to
 * the new one.
 */
function rotate(fd: number, file: string): void {
  const own = fstatSync(fd, { bigint: true });
  if (!tryLock(fd, file)) return;
  const there = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (there?.ino === own.ino && there.dev === own.dev) renameSync(file, `${file}.1`);
}

/** False when the file is full, and there may be another one of its name now. */
function appended(file: string, line: string): boolean {
  const fd = openAppending(file);
  try {
    const stat = fstatSync(fd);
    if (stat.isFile() && stat.size >= FILE_BYTES && succeeds(() => rotate(fd, file))) return false;
    writeSync(fd, line);
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Whoever else keeps the full file's lock renames it right now: a line more in it does no harm. */
function append(file: string, line: string): void {
  makeDirectory(dirname(file));
  if (appended(file, line)) return;
  const fd = openAppending(file);
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
