/**
 * What is known of the ruleset without looking. The kernel counts its generations, and each transaction, whoever makes
 * it, begins a new one: whoever has seen that the tables are whole, and has changed nothing but elements since, leaves
 * a note of that for the generation he leaves behind. An ADD that finds the ruleset there need not look at it again,
 * which is most of what it would ask the kernel; after anybody else's change it looks.
 */
import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { netnsCookie } from '../system/netns-cookie.ts';
import { layoutComment } from './layout.ts';
import { NFPROTO_INET } from './message.ts';

/** Gone with the boot, and with the last attachment; nobody but root can write there. */
const NOTE = '/run/netmoor.ruleset';

/** What the tables of those who know must look like. */
const LAYOUT = layoutComment(NFPROTO_INET);

/** Of the note, which is shorter. */
const PAGE = 4096;

/** Bridges that are named in it, at most: a host has a few. */
const MOST_BRIDGES = 64;

export interface Known {
  readonly generation: number;
  /** The families (NFPROTO_*) whose tables are there, and whole. */
  readonly families: readonly number[];
  /** Bridges that the host's own firewall lets through. */
  readonly bridges: readonly string[];
}

/** As it is left: of this namespace, and of this layout of our tables. */
interface Note extends Known {
  readonly netns: string;
  readonly layout: string;
}

function isNote(value: unknown): value is Note {
  return typeof value === 'object' && value !== null && 'netns' in value && 'generation' in value;
}

/** FNV-1a. */
function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/**
 * Always as long, in one piece, and in place, so that nothing is left of who dies over it; what two have written at the
 * same time the checksum tells.
 */
function write(file: string, text: string): void {
  const page = Buffer.alloc(PAGE, ' ');
  if (page.write(`${checksum(text)} ${text}`) >= PAGE) return;
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
  const fd = openSync(file, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    writeSync(fd, page, 0, PAGE, 0);
  } finally {
    closeSync(fd);
  }
}

function read(file: string): unknown {
  const [sum, text = ''] = readFileSync(file, 'latin1').slice(0, PAGE).trimEnd().split(/ (.*)/s);
  return sum === checksum(text) ? JSON.parse(text) : undefined;
}

/**
 * What is known of the ruleset of this thread's namespace at `generation`; undefined when nothing is.
 */
export function recall(generation: number, file = NOTE): Note | undefined {
  try {
    const note = read(file);
    if (!isNote(note) || note.generation !== generation || note.layout !== LAYOUT) return undefined;
    return note.netns === netnsCookie() ? note : undefined;
  } catch {
    return undefined;
  }
}

/** Leaves the note. Where it cannot be left, the next one looks. */
export function remember(known: Known, file = NOTE): void {
  leave(known, netnsCookie(), file);
}

function leave({ generation, families, bridges }: Known, netns: string | undefined, file: string): void {
  if (netns === undefined) return;
  const note: Note = { netns, layout: LAYOUT, generation, families, bridges: bridges.slice(-MOST_BRIDGES) };
  try {
    write(file, JSON.stringify(note));
  } catch {
    // /run is full or read-only.
  }
}

/** Takes the note away, where nothing is left to know. */
export function forget(file = NOTE): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // /run is read-only: it says nothing of a later generation.
  }
}

/** Those of `before` without those of `more`, and those of `more` behind them. */
function joined<T>(before: readonly T[], more: readonly T[]): T[] {
  return [...before.filter((each) => !more.includes(each)), ...more];
}

/**
 * A transaction of our own, with nothing in it but elements, was made at `generation`: what was known there holds, and
 * what has been `seen` since.
 */
export function carryOver(generation: number, seen?: Omit<Known, 'generation'>, file = NOTE): void {
  const known = recall(generation, file);
  if (known === undefined && seen === undefined) return;
  const families = joined(known?.families ?? [], seen?.families ?? []);
  const bridges = joined(known?.bridges ?? [], seen?.bridges ?? []);
  leave({ generation: generation + 1, families, bridges }, known?.netns ?? netnsCookie(), file);
}
