/** The files of the engine in /run/netmoor, all of them gone with the boot. */
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { isErrno } from '../base/errors.ts';
import { makeDirectory } from '../system/directory.ts';
import { EngineError } from './errors.ts';
import { ENGINE_DIRECTORY } from './protocol.ts';

export interface EnginePlaces {
  readonly directory: string;
  readonly socket: string;
  /** Locked by the one engine there is for as long as it lives. */
  readonly life: string;
  /** Locked by an engine that is about to begin, until it listens. */
  readonly turn: string;
  /** Locked by a client that starts an engine, until that listens. */
  readonly starter: string;
}

export function placesIn(directory: string = ENGINE_DIRECTORY): EnginePlaces {
  const file = (name: string): string => `${directory}/engine${name}`;
  return {
    directory,
    socket: file('.sock'),
    life: file('.lock'),
    turn: file('.turn'),
    starter: file('.starter'),
  };
}

/**
 * Makes the directory (0700) when it is missing. Throws EngineError 'hostile' when others could have put something
 * there.
 */
export function secureDirectory({ directory }: EnginePlaces): void {
  makeDirectory(dirname(directory));
  try {
    mkdirSync(directory, 0o700);
    chmodSync(directory, 0o700);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
  const stat = lstatSync(directory);
  const ours = stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & 0o022) === 0;
  if (ours) return;
  throw new EngineError(
    'hostile',
    `${directory} is no directory where root alone can write`,
    'see who made it so, and remove it',
  );
}
