/** Plugins of the one executable that main plugins of ours call as programs, wherever CNI_PATH leads. */
import { join } from 'node:path';
import type { Program } from './world.ts';

const DELEGATES: readonly string[] = ['dhcp-ipam'];

/** This very executable under that name; from source, the interpreter with cli/main.ts. Undefined: it is not ours. */
export function ownProgram(type: string): Program | undefined {
  if (!DELEGATES.includes(type)) return undefined;
  const sea = process.getBuiltinModule('node:sea') as { isSea(): boolean };
  const args = sea.isSea() ? [] : [join(import.meta.dirname, '../../cli/main.ts')];
  return { file: process.execPath, args, argv0: type };
}
