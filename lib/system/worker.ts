/**
 * Who is at work: a process that serves one request and ends, or one request of a process that serves many. The second
 * kind leaves a note for as long as its request runs, since the process lives on whatever becomes of the request. Notes
 * lie in /run and end with the boot; one whose process died counts for nothing.
 */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../base/errors.ts';
import { isAlive, processIdentity } from './process.ts';
import type { ProcessIdentity } from './process.ts';

const NOTES = '/run/netmoor/requests';

export interface Worker extends ProcessIdentity {
  /** Absent for a process that serves one request. */
  readonly request?: string;
}

/** Asked for once: neither changes while the process lives, whatever it executes (execve(2)). */
let self: ProcessIdentity | undefined;

function ownIdentity(): ProcessIdentity | undefined {
  self ??= processIdentity(process.pid);
  return self;
}

function noteOf({ pid, started, request }: Worker, notes: string): string {
  return join(notes, `${pid}-${started}-${request}`);
}

/** Whether its request still runs. */
export function isAtWork(worker: Worker, notes = NOTES): boolean {
  return isAlive(worker) && (worker.request === undefined || existsSync(noteOf(worker, notes)));
}

export function isSameWorker(a: Worker | undefined, b: Worker | undefined): boolean {
  return a?.pid === b?.pid && a?.started === b?.started && a?.request === b?.request;
}

/**
 * Runs one of a process's many requests under a name of its own, no "/" in it. Where no note can be left the process
 * answers for it, as if it served nothing else.
 */
export async function asRequest<T>(
  request: string,
  work: (worker: Worker | undefined) => Promise<T>,
  notes = NOTES,
): Promise<T> {
  const own = ownIdentity();
  if (own === undefined) return work(undefined);
  const worker = { ...own, request };
  const note = noteOf(worker, notes);
  try {
    leave(note, notes);
  } catch {
    return work(own);
  }
  try {
    return await work(worker);
  } finally {
    takeAway(note);
  }
}

function leave(note: string, notes: string): void {
  const open = (): number => openSync(note, 'wx', 0o644);
  let fd: number;
  try {
    fd = open();
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    mkdirSync(notes, { recursive: true, mode: 0o755 });
    fd = open();
  }
  closeSync(fd);
}

function takeAway(note: string): void {
  try {
    unlinkSync(note);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** Takes away the note of a request of this process that ended without doing so itself: its thread died. */
export function forgetRequest(request: string, notes = NOTES): void {
  const own = ownIdentity();
  if (own !== undefined) takeAway(noteOf({ ...own, request }, notes));
}

/** None where there cannot be any. */
function notesIn(notes: string): string[] {
  try {
    return readdirSync(notes);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/**
 * Takes away the notes that killed processes have left, and this one's: to be called before its first request, since it
 * may have been another program until now (execve(2)), with requests of its own.
 */
export function forgetEarlier(notes = NOTES): void {
  for (const name of notesIn(notes)) {
    const [pid = '', started = ''] = name.split('-');
    const earlier = Number(pid) === process.pid || !isAlive({ pid: Number(pid), started });
    if (earlier) takeAway(join(notes, name));
  }
}
