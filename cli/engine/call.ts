/** A plugin's call as the engine works on it, whoever asked for it in whatever form. */
import { closeSync } from 'node:fs';
import type { LauncherRequest } from '../../lib/engine/launcher-frame.ts';
import type { PluginRequest } from '../../lib/engine/protocol.ts';
import type { ownNamespaces } from '../../lib/engine/request.ts';

/** The container's namespace, as the caller has opened it. */
export interface Handed {
  readonly fd: number;
  /** Closes it; again, it does nothing. */
  readonly release: () => void;
}

export function handed(fd: number): Handed {
  let open = true;
  return {
    fd,
    release: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

export interface Call {
  readonly version: string;
  readonly program: string;
  /** "device:inode" of the caller's namespaces; those that it does not name are as good as ours. */
  readonly namespaces: Partial<Namespaces>;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: Buffer;
  /** Milliseconds that the caller is going to wait. */
  readonly deadline: number;
  readonly netns?: Handed | undefined;
  /** The file of the netmoor that asks. */
  readonly executable?: string | undefined;
}

export type Namespaces = Readonly<ReturnType<typeof ownNamespaces>>;

/** Where a process is: what it names by a path means the same to all who are there. */
export interface Place extends Namespaces {
  /** Its root directory (chroot(2)), as directoryId() has it. */
  readonly root: string;
}

export function callOf(request: PluginRequest): Call {
  const { version, program, netns, mntns, environment, deadline, executable } = request;
  const stdin = Buffer.from(request.stdin, 'base64');
  return {
    version,
    program,
    namespaces: { netns, mntns },
    args: [],
    environment,
    stdin,
    deadline,
    executable,
  };
}

export function callOfLauncher(request: LauncherRequest, netns: Handed | undefined): Call {
  const { version, program, args, environment, stdin, executable } = request;
  const { netns: network, mntns, pidns, userns } = request;
  const namespaces = { netns: network, mntns, pidns, userns };
  return { version, program, namespaces, args, environment, stdin, deadline: Infinity, netns, executable };
}

/** By the launcher, which does itself what is not answered. */
export function isLaunched({ namespaces }: Pick<Call, 'namespaces'>): boolean {
  return namespaces.pidns !== undefined;
}

/** Nothing is begun for one who does not wait any more. */
export interface Caller {
  /** Tells him that it is going to be done. False when he does not wait. */
  readonly take: () => Promise<boolean>;
  /** Asked when it is about to begin: others may have been before it. */
  readonly waits: () => boolean;
}

/** One of whom nothing is known. */
export const ANYBODY: Caller = { take: async () => true, waits: () => true };
