/**
 * The addresses of all containers by name, in the format of hosts(5), for whoever on the host wants to reach them: a
 * proxy, a dnsmasq (`addn-hosts`), a person. It says what the cached results say, and is made anew from them when it is
 * not there.
 *
 * Names come from the containers' configurations: the first container to have one keeps it, the others are under their
 * ids.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { makeDirectory } from '../../system/directory.ts';
import { withFileLock } from '../../system/lock.ts';
import { files } from '../files.ts';
import type { CniResult } from '../result.ts';
import type { World } from '../world.ts';
import { allCachedAttachments, byInterface, cachedAttachments } from './cache.ts';
import type { CachedAttachment } from './cache.ts';

export const HOST_MAP = '/run/netmoor/hosts';

/** The argument by which plugins too learn a container's name (podman, containerd and CRI-O send it). */
export const NAME_ARGUMENT = 'K8S_POD_NAME';

const HEADER =
  '# Containers attached by netmoor: address, names, attachment. Written anew at each change; may be deleted.\n';

interface Line {
  readonly address: string;
  readonly names: readonly string[];
  /** "network-container-ifname", the name of the file that holds the result. */
  readonly attachment: string;
}

/** A container's own addresses: those on an interface inside it, or on one that is not told. */
export function containerAddresses({ ips, interfaces }: CniResult): string[] {
  const inside = ips.filter(
    (ip) => ip.interface === undefined || interfaces[ip.interface]?.sandbox !== undefined,
  );
  return inside.map(({ address }) => address.replace(/\/.*$/, ''));
}

function isName(text: string): boolean {
  return (
    text.length <= 253 &&
    /^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/.test(text) &&
    !/^localhost$|\.localhost$|^[\d.]+$/i.test(text)
  );
}

function linesOf(cached: CachedAttachment, world: World): Line[] {
  const { result, origin, args, containerId, file } = cached;
  if (result === undefined || origin === undefined || origin.unfinished || origin.bootId !== world.bootId)
    return [];
  const names = [args.get(NAME_ARGUMENT) ?? '', containerId].filter(isName);
  const distinct = names.filter((name, index) => names.indexOf(name) === index);
  return containerAddresses(result).map((address) => ({
    address,
    names: distinct,
    attachment: basename(file),
  }));
}

/** Lines that are not as we write them do not count. */
function parseMap(text: string): Line[] {
  return text.split('\n').flatMap((line): Line[] => {
    const [, address, names, attachment] = /^([0-9a-f.:]+)\t([^\t#]+)\t# ([^\s/]+)$/.exec(line) ?? [];
    return address && names && attachment ? [{ address, names: names.split(' '), attachment }] : [];
  });
}

/** Without the names in `taken`, lines that have no other left out; afterwards theirs are taken, too. */
function claim(lines: readonly Line[], taken: Set<string>): Line[] {
  const kept = lines.map((line) => ({
    ...line,
    names: line.names.filter((name) => !taken.has(name.toLowerCase())),
  }));
  for (const { names } of kept) for (const name of names) taken.add(name.toLowerCase());
  return kept.filter(({ names }) => names.length > 0);
}

/** `added` behind `present`, without the names that `present` has. */
function merge(present: readonly Line[], added: readonly Line[]): Line[] {
  const taken = new Set(present.flatMap(({ names }) => names.map((name) => name.toLowerCase())));
  return [...present, ...claim(added, taken)];
}

function readMap(file: string): Line[] | undefined {
  const content = files.read(file);
  return content === undefined ? undefined : parseMap(content.toString());
}

function replaceMap(file: string, lines: readonly Line[]): void {
  const draft = `${file}.new`;
  const fd = openSync(
    draft,
    constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    0o644,
  );
  try {
    fchmodSync(fd, 0o644);
    const text =
      HEADER +
      lines
        .map(({ address, names, attachment }) => `${address}\t${names.join(' ')}\t# ${attachment}\n`)
        .join('');
    const content = Buffer.from(text);
    for (let written = 0; written < content.length; ) written += writeSync(fd, content, written);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, file);
}

/** The map made from nothing but the cached results, each container's addresses in the order of its interfaces. */
function rebuilt(world: World): Line[] {
  const containers = Map.groupBy(allCachedAttachments(world), ({ containerId }) => containerId);
  const taken = new Set<string>();
  const linesFor = (cached: CachedAttachment[]): Line[] =>
    cached.sort(byInterface).flatMap((each) => linesOf(each, world));
  return [...containers.values()].flatMap((cached) => claim(linesFor(cached), taken));
}

/** Everybody may read the map; whoever of ours made the directory before may have had another umask. */
function openToAll(directory: string): void {
  makeDirectory(directory);
  if ((statSync(directory).mode & 0o755) !== 0o755) chmodSync(directory, 0o755);
}

/**
 * Brings one container's lines up to date after it was attached or detached, and drops those of attachments that are no
 * more. Throws Node's errors when the map cannot be written, NetmoorError 'try-again' while another process keeps it
 * locked.
 */
export function refreshHostMap(containerId: string, world: World, file = HOST_MAP): void {
  openToAll(dirname(file));
  withFileLock(`${file}.lock`, world, () => {
    const present = readMap(file);
    if (present === undefined) return replaceMap(file, rebuilt(world));
    const own = cachedAttachments(containerId, world).filter((cached) => cached.origin !== undefined);
    const owned = new Set(own.map((cached) => basename(cached.file)));
    const alive = new Set(world.files.list(world.resultsDirectory));
    const others = present.filter(({ attachment }) => alive.has(attachment) && !owned.has(attachment));
    replaceMap(
      file,
      merge(
        others,
        own.flatMap((cached) => linesOf(cached, world)),
      ),
    );
  });
}
