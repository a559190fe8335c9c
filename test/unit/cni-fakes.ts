/** A world and a plugin without kernel, files or processes, for the tests of the CNI protocol. */
import { NetmoorError, SystemError } from '../../lib/base/errors.ts';
import { dispatch } from '../../lib/cni/dispatch.ts';
import type { Answer } from '../../lib/cni/dispatch.ts';
import type { AttachedContext, Plugin } from '../../lib/cni/plugin.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import type { Execution, Outcome, Program, World } from '../../lib/cni/world.ts';

export const OWN_ID = '4:1000';
export const CONTAINER_NETNS = '/run/netns/container';
export const OWN_NETNS = '/proc/1/ns/net';

export type Executed = Execution & Program;

export interface FakeWorld extends World {
  readonly executed: Executed[];
  readonly opened: string[];
  readonly closed: string[];
  readonly paused: number[];
}

export interface FakeOptions {
  /** Files that can be executed. */
  readonly programs?: readonly string[];
  readonly execute?: (execution: Executed) => Outcome;
}

export function fakeWorld({ programs = [], execute }: FakeOptions = {}): FakeWorld {
  const executed: Executed[] = [];
  const opened: string[] = [];
  const closed: string[] = [];
  const paused: number[] = [];
  let clock = 1_000_000;
  return {
    executed,
    opened,
    closed,
    paused,
    now: () => clock,
    monotonic: () => clock,
    random: (bytes) => Buffer.alloc(bytes, 7),
    bootId: 'boot-1',
    machineId: 'machine-1',
    hostId: 'host-1',
    storeDirectory: '/nowhere/netmoor',
    pid: 4711,
    worker: undefined,
    isAtWork: () => false,
    step: () => {},
    pause: (milliseconds) => {
      paused.push(milliseconds);
      clock += milliseconds;
    },
    ownNetnsId: () => OWN_ID,
    openNetns: (path) => {
      opened.push(path);
      if (path === CONTAINER_NETNS) return { fd: 99, path, id: '4:2000' };
      if (path === OWN_NETNS) return { fd: 98, path, id: OWN_ID };
      throw new NetmoorError(
        'bad-netns',
        `network namespace ${JSON.stringify(path)} cannot be opened`,
        'the container may have ended',
      );
    },
    closeNetns: (netns) => void closed.push(netns.path),
    withProcfs: (work) => work('/nowhere/proc'),
    isExecutable: (file) => programs.includes(file),
    execute: (program, execution) => {
      const call = { ...program, ...execution };
      executed.push(call);
      if (execute === undefined) throw new SystemError(`start ${program.file}`, 2);
      return execute(call);
    },
    readText: () => '',
    files: { list: () => [], read: () => undefined, write: () => {}, remove: () => {} },
    resultsDirectory: '/nowhere/results',
    processIdentity: () => undefined,
  };
}

export const RESULT: CniResult = {
  interfaces: [
    { name: 'br0', mac: '02:00:00:00:00:01' },
    { name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1500, sandbox: CONTAINER_NETNS },
  ],
  ips: [{ address: '10.1.0.2/16', gateway: '10.1.0.1', interface: 1 }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }],
  dns: {},
};

export interface FakePlugin extends Plugin {
  /** Commands in the order of their calls, with the network's name. */
  readonly calls: string[];
  readonly contexts: AttachedContext[];
}

/** Answers ADD with `result`, or fails with what it throws. */
export function fakePlugin(result: (context: AttachedContext) => CniResult = () => RESULT): FakePlugin {
  const calls: string[] = [];
  const contexts: AttachedContext[] = [];
  const saw = (context: AttachedContext): void => {
    calls.push(`${context.request.command} ${context.config.name}`);
    contexts.push(context);
  };
  return {
    name: 'fake',
    about: 'fake: a plugin for tests',
    calls,
    contexts,
    add: (context) => {
      saw(context);
      return result(context);
    },
    check: saw,
    del: (context) => {
      saw({ ...context, request: { ...context.request, command: 'DEL' } });
    },
    gc: (context) => saw({ ...context, netns: undefined }),
    status: (context) => saw({ ...context, netns: undefined }),
  };
}

/** The environment of a complete call. */
export function environmentOf(
  command: string,
  changes: Record<string, string | undefined> = {},
): Record<string, string | undefined> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: CONTAINER_NETNS,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/opt/cni/bin:/usr/lib/cni',
    PATH: '/usr/bin',
    ...changes,
  };
}

export const CONFIG = { cniVersion: '1.1.0', name: 'net1', type: 'fake' };

export interface Call {
  readonly command?: string;
  readonly environment?: Record<string, string | undefined>;
  /** An object, or bytes to be sent as they are. */
  readonly config?: unknown;
  readonly plugin?: Plugin;
  readonly world?: World;
}

/** One invocation, answered. */
export function invoke({
  command = 'ADD',
  environment = {},
  config = CONFIG,
  plugin = fakePlugin(),
  world = fakeWorld(),
}: Call): Promise<Answer> {
  const stdin = Buffer.isBuffer(config) ? config : Buffer.from(JSON.stringify(config));
  return dispatch(
    plugin,
    { environment: environmentOf(command, environment), readStdin: () => stdin },
    world,
  );
}

/** The JSON document an answer printed. */
export function printed(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.stdout) as Record<string, unknown>;
}
