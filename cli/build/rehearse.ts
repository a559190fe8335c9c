/**
 * Makes the code cache of the second stage: runs what runtimes ask for most and writes down every function that was
 * compiled for it, so that a start compiles nothing. A process of its own, inside namespaces that vanish with it (see
 * code-cache.ts).
 */
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { answerHook } from '../../hooks/oci/main.ts';
import type { dispatch } from '../../lib/cni/dispatch.ts';
import type { realWorld } from '../../lib/cni/real-world.ts';
import type { Plugin } from '../../lib/cni/plugin.ts';
import { linkChange } from '../../lib/netlink/link-change.ts';
import { createVeth } from '../../lib/netlink/link-creation.ts';
import { listLinks } from '../../lib/netlink/link.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { closeNetns, openNetns } from '../../lib/system/netns.ts';
import { KINDS } from '../../plugins/kinds.ts';
import { evaluate } from './evaluate.ts';
import { BIN, KOFFI, ROOT, STAGES } from './paths.ts';

interface SecondStage {
  readonly 'lib/cni/dispatch.ts': () => { dispatch: typeof dispatch };
  readonly 'lib/cni/real-world.ts': () => { realWorld: typeof realWorld };
  /** Not in a plugin's own. */
  readonly 'hooks/oci/main.ts'?: () => { answerHook: typeof answerHook };
  /** plugins/NAME/main.ts: its own in a plugin's stage, all of them in the one for all programs. */
  readonly [module: `plugins/${string}/main.ts`]: (() => { plugin: Plugin }) | undefined;
}

/** The program asks whether it is a single executable, and for its assets: here it is one. */
function poseAsExecutable(): void {
  const module = readFileSync(KOFFI);
  const sea = {
    isSea: () => true,
    getAsset: () => createHash('sha256').update(module).digest('hex'),
    getRawAsset: () => new Uint8Array(module).buffer,
  };
  const builtin = process.getBuiltinModule;
  process.getBuiltinModule = ((name: string) =>
    name === 'node:sea' ? sea : builtin(name)) as typeof builtin;
}

/** A process in a network namespace of its own. */
async function startContainer(): Promise<ChildProcess> {
  const container = spawn('unshare', ['-n', 'sh', '-c', 'echo ready; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (container.stdout) await once(container.stdout, 'data');
  return container;
}

/** Two interfaces with a cable between them: the master of whoever wants one. */
function layCable(): void {
  const socket = NetlinkSocket.open('route');
  const here = openNetns('/proc/thread-self/ns/net');
  const peer = { name: 'rehearsal2', mac: '02:00:00:00:00:02', netnsFd: here.fd };
  createVeth(socket, { name: 'rehearsal1', mac: '02:00:00:00:00:01', peer });
  for (const { name, index } of listLinks(socket))
    if (name.startsWith('rehearsal')) socket.request(linkChange(index, { up: true }, `raise ${name}`));
  closeNetns(here);
  socket.close();
}

interface Rehearsal {
  readonly runtimeConfig?: { readonly portMappings?: readonly { readonly hostPort: number }[] };
}

/** What the plugin wants to be rehearsed with, each container with ports of its own. */
function configFor(plugin: string, number: number): object {
  const config: Rehearsal = JSON.parse(readFileSync(join(ROOT, 'plugins', plugin, 'rehearsal.json'), 'utf8'));
  const { portMappings = [] } = config.runtimeConfig ?? {};
  const shifted = portMappings.map((mapping) => ({ ...mapping, hostPort: mapping.hostPort + number }));
  return { ...config, runtimeConfig: { ...config.runtimeConfig, portMappings: shifted } };
}

function callOf(
  stage: SecondStage,
  { name, plugin }: { readonly name: string; readonly plugin: Plugin },
  container: ChildProcess,
  number: number,
): (command: string) => Promise<void> {
  const environment = {
    CNI_CONTAINERID: `rehearsal-${number}`,
    CNI_NETNS: `/proc/${container.pid}/ns/net`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: BIN,
  };
  let config = configFor(name, number);
  const world = stage['lib/cni/real-world.ts']().realWorld();
  const { dispatch } = stage['lib/cni/dispatch.ts']();
  return async (command) => {
    const readStdin = (): Buffer => Buffer.from(JSON.stringify(config));
    const answer = await dispatch(
      plugin,
      { environment: { ...environment, CNI_COMMAND: command }, readStdin },
      world,
    );
    if (answer.exitCode !== 0) throw new Error(`${command} failed: ${answer.stdout}`);
    if (command === 'ADD') config = { ...config, prevResult: JSON.parse(answer.stdout) };
  };
}

/** What netmoor-hook writes beside the lease store; below /var/lib, which is private here. */
const BUNDLE = '/var/lib/rehearsal';

/** The hook as a container runtime calls it, with a bundle that asks for what most ask for. */
function hookOf(
  hook: { answerHook: typeof answerHook },
  container: ChildProcess,
  number: number,
): (status: string) => Promise<void> {
  const config = { root: { path: 'rootfs' }, linux: { namespaces: [{ type: 'network' }] } };
  mkdirSync(`${BUNDLE}/rootfs/etc`, { recursive: true });
  writeFileSync(`${BUNDLE}/config.json`, JSON.stringify(config));
  const annotations = {
    'netmoor/networks': 'netmoor:eth1',
    'netmoor/ports': `${8090 + number}:80/tcp`,
    'netmoor/hostname': `rehearsal-${number}`,
  };
  const state = { ociVersion: '1.0', id: `hook-${number}`, bundle: BUNDLE, annotations };
  return async (status) => {
    const pid = status === 'created' ? container.pid : 0;
    const stdin = Buffer.from(JSON.stringify({ ...state, status, pid }));
    const input = { args: ['--log', `${BUNDLE}/log`], stdin };
    const answer = await hook.answerHook(input, { hostMap: `${BUNDLE}/hosts` });
    if (answer.stderr !== '') throw new Error(`the hook failed: ${answer.stderr}`);
  };
}

/** The main plugins that the stage has. */
function pluginsIn(stage: SecondStage): { name: string; plugin: Plugin }[] {
  return [...KINDS.keys()].flatMap((name) => {
    const main = stage[`plugins/${name}/main.ts`];
    return main === undefined ? [] : [{ name, plugin: main().plugin }];
  });
}

/** Two containers come and go: the second finds what they share, the last takes it along. */
async function rehearse(stage: SecondStage): Promise<void> {
  layCable();
  const containers = [await startContainer(), await startContainer()];
  try {
    for (const plugin of pluginsIn(stage)) {
      const calls = containers.map((container, number) => callOf(stage, plugin, container, number));
      for (const command of ['ADD', 'CHECK', 'DEL']) for (const call of calls) await call(command);
    }
    const hook = stage['hooks/oci/main.ts']?.();
    const hooks = hook ? containers.map((container, number) => hookOf(hook, container, number)) : [];
    for (const status of ['created', 'stopped']) for (const run of hooks) await run(status);
  } finally {
    for (const container of containers) container.stdin?.end();
  }
}

const files = STAGES.find(({ name }) => name === process.argv[2]);
if (files === undefined) throw new Error(`usage: rehearse.ts ${STAGES.map(({ name }) => name).join('|')}`);

poseAsExecutable();
const { exports, createCachedData } = evaluate(readFileSync(files.source, 'latin1'));
await rehearse(exports as SecondStage);
writeFileSync(files.cache, createCachedData());
