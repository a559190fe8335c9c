/** What a runtime asks of a network for one interface of one container, and its checks before any plugin runs. */
import { NetmoorError, errorText } from '../../base/errors.ts';
import { parseAddress, parsePrefix } from '../../base/ip.ts';
import { parseMac } from '../../base/mac.ts';
import type { Netns } from '../../system/netns.ts';
import type { ProcessIdentity } from '../../system/process.ts';
import { findPlugin } from '../delegate.ts';
import type { Environment } from '../environment.ts';
import type { Json, JsonObject } from '../json.ts';
import { containerIdProblem, interfaceNameProblem, networkNameProblem } from '../names.ts';
import type { Plugin } from '../plugin.ts';
import { readPortMappings, singlePorts } from '../port-mappings.ts';
import { quote } from '../quote.ts';
import { readRuntimeConfig } from '../runtime-config.ts';
import type { World } from '../world.ts';
import type { NetworkList } from './list.ts';
import { declares, publishesPorts, takesSinglePorts } from './publishing.ts';

export interface Attachment {
  readonly containerId: string;
  /** Path of the container's namespace; empty when it is gone (DEL only). */
  readonly netns: string;
  readonly ifname: string;
  /** CNI_ARGS. */
  readonly args: ReadonlyMap<string, string>;
  /** portMappings, ips, mac, dns, aliases, …: each reaches the plugins that declare the capability. */
  readonly capabilities: JsonObject;
  /** Directories to look for plugins in. */
  readonly path: readonly string[];
  /** The namespace itself, when whoever asks holds it open; otherwise it is opened by its path, once. */
  readonly opened?: Netns;
  /** "device:inode" of the namespace: should the path lead elsewhere by the time a plugin is to run, none runs. */
  readonly netnsId?: string;
  /** The process whose namespace it is, when `netns` is /proc/PID/ns/net: its number may be used again. */
  readonly process?: ProcessIdentity;
  /** For plugins of others; PLUGIN_ENVIRONMENT when absent. Its CNI_ variables do not count. */
  readonly environment?: Environment;
}

/** Our own plugins by type, run in this process; undefined: looked for in the path and executed. */
export type Ours = (type: string) => Promise<Plugin | undefined>;

function refuse(problem: string, advice = 'correct it and try again'): never {
  throw new NetmoorError('bad-config', problem, advice);
}

function checkNames(network: string, { containerId, ifname, netns, path }: Attachment): void {
  const problems = [
    ['network', networkNameProblem(network)],
    ['container id', containerIdProblem(containerId)],
    ['interface', interfaceNameProblem(ifname)],
    [
      'namespace',
      netns === '' || netns.startsWith('/') ? undefined : `${quote(netns)} is not an absolute path`,
    ],
  ] as const;
  for (const [what, problem] of problems) if (problem !== undefined) refuse(`${what}: ${problem}`);
  const bad = path.find((directory) => !directory.startsWith('/') || directory.includes(':'));
  if (bad !== undefined) refuse(`path of plugins: ${quote(bad)} is not an absolute path without ":"`);
  if (path.length === 0) refuse('path of plugins: it is empty', 'name at least one directory');
}

/** CNI_ARGS has no way to quote its separators. */
function checkArgs(args: ReadonlyMap<string, string>): void {
  for (const [key, value] of args) {
    if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(key)) refuse(`argument ${quote(key)} is no name for one`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
    if (/[;=\u0000-\u001f]/.test(value))
      refuse(`argument ${key}: ${quote(value)} holds ";", "=" or a control character`);
  }
}

function readEach(what: string, texts: readonly string[], read: (text: string) => unknown): void {
  for (const text of texts) {
    try {
      read(text);
    } catch (error) {
      refuse(`${what}: ${errorText(error)}`);
    }
  }
}

/** By the rules of our own plugins, for whichever plugin it is meant. */
function checkCapabilities(network: string, capabilities: JsonObject): void {
  const { portMappings, ips, mac } = readRuntimeConfig(capabilities, network);
  readPortMappings(portMappings);
  readEach('address', ips, (text) => (text.includes('/') ? parsePrefix(text) : parseAddress(text)));
  readEach('MAC address', mac === undefined ? [] : [mac], parseMac);
}

/** What would silently not happen otherwise; names and DNS are hints, which a network may have no use for. */
const ESSENTIAL = ['portMappings', 'ips', 'mac', 'bandwidth'];

function takes(list: NetworkList, capability: string): boolean {
  if (capability === 'portMappings') return publishesPorts(list);
  return list.plugins.some((plugin) => declares(plugin, capability));
}

function isEmpty(value: Json | undefined): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

/** Ports that are written out for a plugin that takes single ones alone: each is rules of its own there. */
const MOST_SINGLE_PORTS = 1024;

/** The mappings as the network's plugins take them: ranges written out where one of them knows single ports alone. */
function portsFor(list: NetworkList, value: Json | undefined, capabilities: JsonObject): Json | undefined {
  const plugin = takesSinglePorts(list);
  if (plugin === undefined || isEmpty(value)) return value;
  const inputs = readRuntimeConfig(capabilities, list.name).portMappings;
  if (inputs.every(({ range, count = range ?? 1 }) => count === 1)) return value;
  const single = singlePorts(inputs);
  if (single.length > MOST_SINGLE_PORTS)
    refuse(
      `network ${list.name} publishes by ${plugin}, which takes single ports: ${single.length} are too many`,
      `publish at most ${MOST_SINGLE_PORTS}, or have bridge-nat publish them, to which a range is one`,
    );
  return single.map((each) => ({ ...each }) as JsonObject);
}

/**
 * The attachment as this network understands it: ranges of ports as its plugins take them; an address or a MAC for
 * which no plugin declares the capability by CNI_ARGS, as before there were capabilities. Throws 'bad-config' when a
 * value is wrong, or when a port or an address would be lost.
 */
export function adapt(list: NetworkList, attachment: Attachment): Attachment {
  checkCapabilities(list.name, attachment.capabilities);
  const args = new Map(attachment.args);
  const capabilities: Record<string, Json> = { ...attachment.capabilities };
  const ports = portsFor(list, capabilities['portMappings'], capabilities);
  if (ports !== undefined) capabilities['portMappings'] = ports;
  for (const capability of ESSENTIAL) {
    const value = capabilities[capability];
    if (isEmpty(value) || takes(list, capability)) continue;
    const single =
      capability === 'ips' && Array.isArray(value) && value.length === 1
        ? value[0]
        : capability === 'mac'
          ? value
          : undefined;
    const variable = capability === 'ips' ? 'IP' : 'MAC';
    if (typeof single !== 'string' || args.has(variable)) {
      refuse(
        `network ${list.name} cannot do what is asked of it: no plugin of it declares the capability ${capability}`,
        `add "capabilities": { "${capability}": true } to a plugin that has it, in ${list.source}`,
      );
    }
    args.set(variable, capability === 'ips' ? single.replace(/\/.*$/, '') : single);
    delete capabilities[capability];
  }
  if (args.size > 0 && !args.has('IgnoreUnknown')) args.set('IgnoreUnknown', '1');
  return { ...attachment, args, capabilities };
}

/**
 * Everything else that can be known to be wrong before a plugin runs, of what `adapt` returned. Throws NetmoorError.
 */
export async function validateAttachment(
  list: NetworkList,
  attachment: Attachment,
  world: World,
  ours: Ours,
): Promise<void> {
  checkNames(list.name, attachment);
  checkArgs(attachment.args);
  for (const plugin of list.plugins) {
    const type = String(plugin['type']);
    if ((await ours(type)) === undefined) findPlugin(type, attachment.path, world);
  }
}

/** Opens the namespace at a path. Throws 'bad-netns', or 'own-netns' for the host's own. */
export function openContainer(netns: string, world: World): Netns {
  const opened = world.openNetns(netns);
  if (opened.id !== world.ownNetnsId()) return opened;
  world.closeNetns(opened);
  throw new NetmoorError(
    'own-netns',
    `${quote(netns)} is the network namespace of the host`,
    'give the namespace of a container',
  );
}

/** Throws 'bad-netns' when the process whose namespace it is has ended. */
export function refuseEnded({ process }: Attachment, world: World): void {
  if (process === undefined || world.processIdentity(process.pid)?.started === process.started) return;
  throw new NetmoorError(
    'bad-netns',
    `process ${process.pid} has ended`,
    'the container ended meanwhile; start it again',
  );
}

/**
 * Opens the namespace that is meant, to be held for as long as something is done for it. Throws when it is another by
 * now.
 */
export function openMeant(attachment: Attachment, world: World): Netns {
  const { netns, netnsId } = attachment;
  refuseEnded(attachment, world);
  const opened = openContainer(netns, world);
  if (netnsId === undefined || opened.id === netnsId) return opened;
  world.closeNetns(opened);
  throw new NetmoorError(
    'bad-netns',
    `${quote(netns)} is another namespace than before`,
    'the container ended meanwhile; start it again',
  );
}

/**
 * Before a plugin of another's, which goes by the path: throws when that does not lead to the open namespace any more.
 */
export function requireSameNetns(attachment: Attachment, world: World, open: Netns | undefined): void {
  world.closeNetns(openMeant(open === undefined ? attachment : { ...attachment, netnsId: open.id }, world));
}
