/**
 * What a container was attached to, kept for CHECK and DEL where libcni keeps it and as libcni writes it
 * ("cniCacheV1"), so that either finds the attachments of the other. The member "netmoor" is ours, which libcni passes
 * over: the file is there before the first plugin runs, hence whatever dies in between can still be taken down.
 */
import { NetmoorError, errorText } from '../../base/errors.ts';
import type { Netns } from '../../system/netns.ts';
import type { ProcessIdentity } from '../../system/process.ts';
import { decodeResult } from '../decode-result.ts';
import { encodeResult } from '../encode-result.ts';
import type { Json, JsonObject } from '../json.ts';
import { isJsonObject, parseJsonObject } from '../json.ts';
import { containerIdProblem, interfaceNameProblem, networkNameProblem } from '../names.ts';
import { quote } from '../quote.ts';
import type { CniResult } from '../result.ts';
import type { World } from '../world.ts';
import type { Attachment } from './attachment.ts';
import { readList, upconvert, writeList } from './list.ts';
import type { NetworkList } from './list.ts';

const KIND = 'cniCacheV1';

/** What tells one life of a namespace from another that has its path, and what it was attached with. */
export interface Origin {
  readonly bootId: string;
  /** "device:inode" */
  readonly netnsId?: string;
  readonly process?: ProcessIdentity;
  /** Who attaches it, or did. */
  readonly worker?: ProcessIdentity;
  /** Where plugins were looked for: whoever detaches it need not be told. */
  readonly path: readonly string[];
  /** Its ADD has not finished, or died: `result` is that of the plugins that had run by then. */
  readonly unfinished: boolean;
}

export interface CachedAttachment {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly netns: string;
  readonly args: ReadonlyMap<string, string>;
  readonly capabilities: JsonObject;
  /** The list as it was at ADD; undefined when it cannot be read any more. */
  readonly list: NetworkList | undefined;
  /** Undefined when no plugin had finished, or the result cannot be read any more. */
  readonly result: CniResult | undefined;
  /** Undefined for an attachment that another runtime made. */
  readonly origin: Origin | undefined;
  readonly file: string;
}

export interface CacheKey {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

function fileOf({ network, containerId, ifname }: CacheKey, world: World): string {
  return `${world.resultsDirectory}/${network}-${containerId}-${ifname}`;
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof NetmoorError) return undefined;
    throw error;
  }
}

function readConfig(base64: string, file: string): NetworkList {
  const document = parseJsonObject(Buffer.from(base64, 'base64'), 'the cached configuration');
  return document['plugins'] === undefined ? upconvert(document, file) : readList(document, file).list;
}

function readArgs(pairs: Json | undefined): Map<string, string> {
  const list = Array.isArray(pairs) ? pairs : [];
  const strings = list.filter(
    (pair): pair is [string, string] =>
      Array.isArray(pair) && pair.length === 2 && pair.every((item) => typeof item === 'string'),
  );
  return new Map(strings);
}

function readProcess(value: Json | undefined): ProcessIdentity | undefined {
  if (!isJsonObject(value)) return undefined;
  const { pid, started } = value;
  return typeof pid === 'number' && typeof started === 'string' ? { pid, started } : undefined;
}

function readOrigin(value: Json | undefined): Origin | undefined {
  if (!isJsonObject(value)) return undefined;
  const { bootId, netnsId, unfinished, path } = value;
  const [process, worker] = [readProcess(value['process']), readProcess(value['worker'])];
  return {
    bootId: text(bootId),
    unfinished: unfinished === true,
    path: Array.isArray(path) ? path.filter((directory) => typeof directory === 'string') : [],
    ...(typeof netnsId === 'string' ? { netnsId } : {}),
    ...(process === undefined ? {} : { process }),
    ...(worker === undefined ? {} : { worker }),
  };
}

/** Undefined for what is no attachment: another kind of file, half a file, names that no runtime accepts. */
function readCached(file: string, world: World): CachedAttachment | undefined {
  const document = attempt(() => parseJsonObject(world.files.read(file) ?? Buffer.alloc(0), file));
  if (document === undefined || document['kind'] !== KIND) return undefined;
  const { networkName, containerId, ifName, netns, config, cniArgs, capabilityArgs, result, netmoor } =
    document;
  const [network, id, ifname] = [text(networkName), text(containerId), text(ifName)];
  if (networkNameProblem(network) ?? containerIdProblem(id) ?? interfaceNameProblem(ifname)) return undefined;
  return {
    network,
    containerId: id,
    ifname,
    netns: text(netns),
    args: readArgs(cniArgs),
    capabilities: isJsonObject(capabilityArgs) ? capabilityArgs : {},
    list: attempt(() => readConfig(text(config), file)),
    result: result === undefined ? undefined : attempt(() => decodeResult(result, 'cached result')),
    origin: readOrigin(netmoor),
    file,
  };
}

/** Everything that is on file; what cannot be read does not count. */
export function allCachedAttachments(world: World): CachedAttachment[] {
  const names = world.files.list(world.resultsDirectory).filter((name) => !name.startsWith('.'));
  return names.flatMap((name) => readCached(`${world.resultsDirectory}/${name}`, world) ?? []);
}

/** eth2 before eth10. */
export function byInterface({ ifname: a }: CachedAttachment, { ifname: b }: CachedAttachment): number {
  return a.length - b.length || (a < b ? -1 : 1);
}

/** Everything a container is attached to, whoever attached it, in the order of its interfaces' names. */
export function cachedAttachments(containerId: string, world: World): CachedAttachment[] {
  const part = `-${containerId}-`;
  const names = world.files
    .list(world.resultsDirectory)
    .filter((name) => !name.startsWith('.') && name.includes(part));
  const read = names.flatMap((name) => readCached(`${world.resultsDirectory}/${name}`, world) ?? []);
  return read.filter((cached) => cached.containerId === containerId).sort(byInterface);
}

function sameKey(a: CacheKey, b: CacheKey): boolean {
  return a.network === b.network && a.containerId === b.containerId && a.ifname === b.ifname;
}

export function cachedAttachment(key: CacheKey, world: World): CachedAttachment | undefined {
  const cached = readCached(fileOf(key, world), world);
  return cached !== undefined && sameKey(cached, key) ? cached : undefined;
}

function describe({ network, containerId, ifname }: CacheKey): string {
  return `${network}/${containerId}/${ifname}`;
}

/** "a-b" with container "c" and "a" with container "b-c" share a file name. */
function refuseStranger(key: CacheKey, file: string, world: World): void {
  const there = readCached(file, world);
  if (there === undefined || sameKey(there, key)) return;
  throw new NetmoorError(
    'bad-config',
    `the result of ${describe(key)} would be kept in ${quote(file)}, which is that of ${describe(there)}`,
    'choose another container id',
  );
}

/** How far an ADD has come. */
export interface Progress {
  readonly result: CniResult | undefined;
  readonly unfinished: boolean;
}

function originOf({ netnsId, process, path }: Attachment, unfinished: boolean, world: World): Origin {
  const worker = world.processIdentity(world.pid);
  return {
    bootId: world.bootId,
    unfinished,
    path,
    ...(netnsId === undefined ? {} : { netnsId }),
    ...(process === undefined ? {} : { process }),
    ...(worker === undefined ? {} : { worker }),
  };
}

/** Puts an attachment on file: with no result and unfinished when it is about to be made. Throws NetmoorError. */
export function rememberAttachment(
  list: NetworkList,
  attachment: Attachment,
  { result, unfinished }: Progress,
  world: World,
): void {
  const { containerId, ifname, netns, args, capabilities } = attachment;
  const key = { network: list.name, containerId, ifname };
  const file = fileOf(key, world);
  if (result === undefined) refuseStranger(key, file, world);
  const document = {
    kind: KIND,
    containerId,
    config: Buffer.from(JSON.stringify(writeList(list))).toString('base64'),
    ifName: ifname,
    networkName: list.name,
    netns,
    cniArgs: [...args],
    capabilityArgs: capabilities,
    ...(result === undefined ? {} : { result: encodeResult(result, list.cniVersion) }),
    netmoor: originOf(attachment, unfinished, world),
  };
  const content = Buffer.from(JSON.stringify(document));
  try {
    world.files.write(file, content);
  } catch (error) {
    const advice = 'the directory must be writable; results are kept for the time of detaching';
    throw new NetmoorError('io', `${quote(file)} cannot be written: ${errorText(error)}`, advice, {
      cause: error,
    });
  }
}

/** Forgets what is on file under this key, and nothing else. */
export function forgetAttachment(key: CacheKey, world: World): void {
  const file = fileOf(key, world);
  const there = readCached(file, world);
  if (there === undefined || sameKey(there, key)) world.files.remove(file);
}

/** True while another process is at work on its ADD. */
export function isBeingAttached({ origin }: CachedAttachment, world: World): boolean {
  const worker = origin?.worker;
  if (origin?.unfinished !== true || origin.bootId !== world.bootId || worker === undefined) return false;
  return worker.pid !== world.pid && world.processIdentity(worker.pid)?.started === worker.started;
}

/** For whoever wants to attach or clear it away meanwhile. */
export function refuseBeingAttached(cached: CachedAttachment, world: World): void {
  if (!isBeingAttached(cached, world)) return;
  throw new NetmoorError(
    'try-again',
    `${describe(cached)} is being attached this very moment, by process ${cached.origin?.worker?.pid}`,
    'wait for it to finish, and try again',
  );
}

/**
 * The namespace, open, of a container that is where it was attached; undefined when it is another boot, process or
 * namespace.
 */
export function openWhereItWas({ netns, origin }: CachedAttachment, world: World): Netns | undefined {
  if (netns === '') return undefined;
  if (origin !== undefined && origin.bootId !== world.bootId) return undefined;
  const process = origin?.process;
  if (process !== undefined && world.processIdentity(process.pid)?.started !== process.started)
    return undefined;
  const opened = attempt(() => world.openNetns(netns));
  if (opened === undefined) return undefined;
  const meant = opened.id !== world.ownNetnsId() && (origin?.netnsId ?? opened.id) === opened.id;
  if (meant) return opened;
  world.closeNetns(opened);
  return undefined;
}

/** False when the container is certainly gone from where it was attached. */
export function isWhereItWas(cached: CachedAttachment, world: World): boolean {
  const opened = openWhereItWas(cached, world);
  if (opened !== undefined) world.closeNetns(opened);
  return opened !== undefined;
}
