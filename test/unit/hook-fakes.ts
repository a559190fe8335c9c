/**
 * A hook called without a runtime: real files below a directory of its own, pretended processes, namespaces and
 * plugins.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { runHookWith } from '../../hooks/oci/hook.ts';
import type { HookAnswer } from '../../hooks/oci/hook.ts';
import { NetmoorError } from '../../lib/base/errors.ts';
import { files } from '../../lib/cni/files.ts';
import type { Plugin } from '../../lib/cni/plugin.ts';
import type { World } from '../../lib/cni/world.ts';
import { fakePlugin, fakeWorld, OWN_ID, RESULT } from './cni-fakes.ts';
import type { FakePlugin } from './cni-fakes.ts';

export const PID = 4242;

export interface Scene {
  readonly root: string;
  readonly bundle: string;
  readonly world: World;
  readonly plugin: FakePlugin;
  /** Lines of the log, each with its severity. */
  readonly log: string[];
  /** The container's process as the world has it; changes are seen at once. */
  readonly process: { started: string | undefined; netnsId: string };
  write(path: string, content: string): void;
  read(path: string): string;
  /** Calls the hook; `state` completes or changes what a runtime writes at createRuntime. */
  call(args: readonly string[], state?: Record<string, unknown> | string): Promise<HookAnswer>;
}

export const OCI_CONFIG = {
  ociVersion: '1.0.2',
  root: { path: 'rootfs' },
  linux: { namespaces: [{ type: 'mount' }, { type: 'network' }] },
};

function pretendedWorld(root: string, process: Scene['process']): World {
  return {
    ...fakeWorld(),
    files,
    storeDirectory: join(root, 'store'),
    resultsDirectory: join(root, 'results'),
    processIdentity: (pid) =>
      pid === PID && process.started !== undefined ? { pid, started: process.started } : undefined,
    openNetns: (path) => {
      if (path === `/proc/${PID}/ns/net` && process.started !== undefined)
        return { fd: 99, path, id: process.netnsId };
      throw new NetmoorError(
        'bad-netns',
        `network namespace ${path} cannot be opened`,
        'the container may have ended',
      );
    },
    ownNetnsId: () => OWN_ID,
  };
}

/**
 * A scene with an empty bundle, removed after the test. Networks of every name in `networks` are of one pretended
 * plugin.
 */
export function setScene(
  t: Test,
  networks: readonly string[] = [],
  plugin: FakePlugin = fakePlugin(),
): Scene {
  const root = mkdtempSync(join(tmpdir(), 'netmoor-hook-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const process: Scene['process'] = { started: '1000', netnsId: '4:2000' };
  const world = pretendedWorld(root, process);
  const log: string[] = [];
  const bundle = join(root, 'bundle');
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  for (const name of networks) {
    const list = {
      cniVersion: '1.0.0',
      name,
      plugins: [{ type: 'bridge-nat', capabilities: { ips: true, portMappings: true, mac: true } }],
    };
    write(`net.d/${name}.conflist`, JSON.stringify(list));
  }
  write('bundle/config.json', JSON.stringify(OCI_CONFIG));
  mkdirSync(join(bundle, 'rootfs/etc'), { recursive: true });
  const ours = async (): Promise<Plugin> => plugin;
  const openLog = () => ({
    write: (severity: string, line: string) => void log.push(`${severity}: ${line}`),
  });
  const usual = { ociVersion: '1.0.2-dev', id: 'c1', status: 'creating', pid: PID, bundle };
  return {
    root,
    bundle,
    world,
    plugin,
    log,
    process,
    write,
    read: (path) => readFileSync(join(root, path), 'utf8'),
    call: (args, state = {}) => {
      const stdin = Buffer.from(typeof state === 'string' ? state : JSON.stringify({ ...usual, ...state }));
      const given = ['--conf-dir', join(root, 'net.d'), ...args];
      return runHookWith({ args: given, stdin }, { world, ours, openLog, hostMap: join(root, 'run/hosts') });
    },
  };
}

export { RESULT };
