/** What a plugin that was started as a process asks the engine for. */
import { statSync } from 'node:fs';
import packageJson from '../../package.json' with { type: 'json' };
import { ownNetnsId } from '../system/netns.ts';
import { PROTOCOL } from './protocol.ts';
import type { OrderRequest, PluginRequest } from './protocol.ts';

/** Engine and client are of one version, or do not talk. */
export const VERSION: string = packageJson.version;

/** "device:inode" of a namespace of this thread. */
function ownId(kind: 'mnt' | 'pid' | 'user'): string {
  const stat = statSync(`/proc/thread-self/ns/${kind}`, { bigint: true });
  return `${stat.dev}:${stat.ino}`;
}

/** The mount namespace of this thread: in it, paths mean the same. */
export function ownMntnsId(): string {
  return ownId('mnt');
}

/** All in which what a caller names has to mean the same here. */
export function ownNamespaces(): Record<'netns' | 'mntns' | 'pidns' | 'userns', string> {
  return { netns: ownNetnsId(), mntns: ownMntnsId(), pidns: ownId('pid'), userns: ownId('user') };
}

export interface PluginCall {
  /** The name of the executable. */
  readonly program: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdin: Buffer;
  /** Milliseconds that the caller is going to wait. */
  readonly deadline: number;
}

/** Absent where it runs from source. */
export function ownExecutable(): { executable?: string } {
  const sea = process.getBuiltinModule('node:sea') as { isSea(): boolean };
  return sea.isSea() ? { executable: process.execPath } : {};
}

/** Whether the first of two versions (SemVer, without what follows a "-") is the later one. */
export function isNewer(version: string, than: string): boolean {
  const numbers = (text: string): number[] => text.replace(/-.*/s, '').split('.').map(Number);
  const [ours, theirs] = [numbers(than), numbers(version)];
  const differs = theirs.findIndex((number, index) => number !== ours[index]);
  return differs >= 0 && (theirs[differs] ?? 0) > (ours[differs] ?? 0);
}

export function pluginRequest({ program, environment, stdin, deadline }: PluginCall): PluginRequest {
  const given = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return {
    protocol: PROTOCOL,
    version: VERSION,
    kind: 'plugin',
    ...ownExecutable(),
    netns: ownNetnsId(),
    mntns: ownMntnsId(),
    program,
    environment: Object.fromEntries(given),
    stdin: stdin.toString('base64'),
    deadline: Math.max(1, Math.ceil(deadline)),
  };
}

export function orderRequest(kind: OrderRequest['kind']): OrderRequest {
  return { protocol: PROTOCOL, version: VERSION, kind };
}
