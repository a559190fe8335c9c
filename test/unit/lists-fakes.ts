/** A world with files in memory, and lists whose plugins only say that they were called. */
import type { JsonObject } from '../../lib/cni/json.ts';
import type { Attachment, Ours } from '../../lib/cni/lists/attachment.ts';
import type { NetworkList } from '../../lib/cni/lists/list.ts';
import type { Outcome } from '../../lib/cni/world.ts';
import { CONTAINER_NETNS, fakeWorld } from './cni-fakes.ts';
import type { Executed, FakeWorld } from './cni-fakes.ts';

export interface MemoryWorld extends FakeWorld {
  readonly content: Map<string, Buffer>;
}

/** Files by path; what a plugin of others answers is up to `execute`. */
export function memoryWorld(
  initial: Readonly<Record<string, unknown>> = {},
  execute?: (call: Executed) => Outcome,
  programs: readonly string[] = [],
): MemoryWorld {
  const bytes = (value: unknown): Buffer =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  const content = new Map(Object.entries(initial).map(([file, value]) => [file, bytes(value)]));
  return {
    ...fakeWorld({ programs, ...(execute === undefined ? {} : { execute }) }),
    content,
    files: {
      list: (directory) => {
        const below = [...content.keys()].filter((file) => file.startsWith(`${directory}/`));
        const names = below.map((file) => file.slice(directory.length + 1));
        return names.filter((name) => !name.includes('/')).sort();
      },
      read: (file) => content.get(file),
      write: (file, value) => void content.set(file, value),
      remove: (file) => void content.delete(file),
    },
  };
}

/** Every plugin is another's, found in /opt/cni/bin. */
export const foreign: Ours = async () => undefined;

/** Answers ADD with a result that names the plugin and what came before it. */
export function answering(
  fail: Readonly<Record<string, Partial<Outcome>>> = {},
): (call: Executed) => Outcome {
  return ({ file, environment, stdin }) => {
    const command = environment['CNI_COMMAND'] ?? '';
    const type = file.slice(file.lastIndexOf('/') + 1);
    const failure = fail[`${type} ${command}`];
    const config = JSON.parse(stdin.toString()) as {
      cniVersion: string;
      prevResult?: { interfaces?: object[] };
    };
    const interfaces = [...(config.prevResult?.interfaces ?? []), { name: type }];
    const answer = command === 'ADD' ? JSON.stringify({ cniVersion: config.cniVersion, interfaces }) : '';
    return { exitCode: 0, stdout: Buffer.from(answer), stderr: '', ...failure };
  };
}

/** What a plugin of others prints when it fails. */
export function failing(code: number, msg: string): Partial<Outcome> {
  return { exitCode: 1, stdout: Buffer.from(JSON.stringify({ code, msg })) };
}

export const PROGRAMS = ['one', 'two', 'three'].map((type) => `/opt/cni/bin/${type}`);

export function listOf(...plugins: JsonObject[]): NetworkList {
  return {
    name: 'net1',
    cniVersion: '1.0.0',
    disableCheck: false,
    disableGC: false,
    plugins,
    source: 'a test',
  };
}

export function attachmentOf(changes: Partial<Attachment> = {}): Attachment {
  return {
    containerId: 'c1',
    netns: CONTAINER_NETNS,
    ifname: 'eth0',
    args: new Map(),
    capabilities: {},
    path: ['/opt/cni/bin'],
    ...changes,
  };
}

/** "ADD one", in the order of the calls. */
export function callsOf(world: FakeWorld): string[] {
  return world.executed.map(
    ({ file, environment }) => `${environment['CNI_COMMAND']} ${file.slice(file.lastIndexOf('/') + 1)}`,
  );
}

/** The configurations the plugins got. */
export function configsOf(world: FakeWorld): Record<string, unknown>[] {
  return world.executed.map(({ stdin }) => JSON.parse(stdin.toString()) as Record<string, unknown>);
}
