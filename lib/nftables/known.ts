/**
 * What is known of the ruleset without looking. The kernel counts its generations, and each transaction, whoever makes
 * it, begins a new one: whoever has seen that the tables are whole, and has changed nothing but elements since, leaves
 * a note of that for the generation he leaves behind. An ADD that finds the ruleset there need not look at it again,
 * which is most of what it would ask the kernel; after anybody else's change it looks.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory } from '../system/directory.ts';
import { netnsCookie } from '../system/netns-cookie.ts';
import { layoutComment } from './layout.ts';
import { NFPROTO_INET } from './message.ts';

/** Gone with the boot; in it, nobody but root can write. */
const NOTE = '/run/netmoor/ruleset';

/** What the tables of those who know must look like. */
const LAYOUT = layoutComment(NFPROTO_INET);

/** Bridges that are named in it, at most: a host has a few. */
const MOST_BRIDGES = 64;

export interface Known {
  readonly generation: number;
  /** The families (NFPROTO_*) whose tables are there, and whole. */
  readonly families: readonly number[];
  /** Bridges that the host's own firewall lets through. */
  readonly bridges: readonly string[];
}

interface Note extends Known {
  readonly netns: string;
  readonly layout: string;
}

function isNote(value: unknown): value is Note {
  return typeof value === 'object' && value !== null && 'netns' in value && 'generation' in value;
}

/**
 * What is known of the ruleset of this thread's namespace at `generation`; undefined when nothing is.
 */
export function recall(generation: number, file = NOTE): Known | undefined {
  try {
    const note: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!isNote(note) || note.generation !== generation || note.layout !== LAYOUT) return undefined;
    return note.netns === netnsCookie() ? note : undefined;
  } catch {
    return undefined;
  }
}

function write(file: string, text: string): void {
  const partial = `${file}.${process.pid}-${process.hrtime.bigint()}`;
  writeFileSync(partial, text, { mode: 0o600, flag: 'wx' });
  renameSync(partial, file);
}

/** Leaves the note. Where it cannot be left, the next one looks. */
export function remember({ generation, families, bridges }: Known, file = NOTE): void {
  const netns = netnsCookie();
  if (netns === undefined) return;
  const note: Note = { netns, layout: LAYOUT, generation, families, bridges: bridges.slice(-MOST_BRIDGES) };
  const text = JSON.stringify(note);
  try {
    write(file, text);
  } catch {
    tryAnew(file, text);
  }
}

/** /run is missing its directory; or full, or read-only. */
function tryAnew(file: string, text: string): void {
  try {
    makeDirectory(dirname(file), 0o700);
    write(file, text);
  } catch {
    // Then nobody is spared the look.
  }
}

/** A transaction of our own, with nothing in it but elements, was made at `generation`: what was known there holds. */
export function carryOver(generation: number, file = NOTE): void {
  const known = recall(generation, file);
  if (known) remember({ ...known, generation: generation + 1 }, file);
}
