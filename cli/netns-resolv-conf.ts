/**
 * /etc/netns/NAME/resolv.conf, which `ip netns exec` and `netmoor exec` put over /etc/resolv.conf (ip-netns(8)): made
 * of what is on file of the namespace's networks, made anew when those change, removed with the last. It bears the
 * checksum of its text, so that a file of somebody else's, or one that somebody changed, is told from ours and stays.
 */
import { rmSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { stageBelow } from '../hooks/oci/staged-file.ts';
import { NetmoorError, isErrno } from '../lib/base/errors.ts';
import { sha256 } from '../lib/base/sha256.ts';
import type { Json } from '../lib/cni/json.ts';
import { isJsonObject } from '../lib/cni/json.ts';
import { allCachedAttachments, byInterface, isWhereItWas } from '../lib/cni/lists/cache.ts';
import type { CachedAttachment } from '../lib/cni/lists/cache.ts';
import { combineDns, dnsOn, hostDns, resolvConfText } from '../lib/cni/resolv-conf.ts';
import { compactDns } from '../lib/cni/result.ts';
import type { Dns } from '../lib/cni/result.ts';
import type { World } from '../lib/cni/world.ts';
import { makeDirectory } from '../lib/system/directory.ts';
import { withFileLock } from '../lib/system/lock.ts';
import { netnsNameIn } from './netns-name.ts';

const ETC = '/etc/netns';
const LOCK_DIRECTORY = '/run/netmoor';

/** Where the file of the namespace at that path is; undefined when it has no name. */
export function resolvConfOf(path: string): string | undefined {
  const name = netnsNameIn(path);
  return name === undefined ? undefined : `${ETC}/${name}/resolv.conf`;
}

function strings(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** The capability `dns` (CNI CONVENTIONS.md) as settings. */
export function askedDns(capability: Json | undefined): Dns {
  if (!isJsonObject(capability)) return {};
  const { servers, searches, options } = capability;
  return compactDns({
    nameservers: strings(servers),
    search: strings(searches),
    options: strings(options),
  });
}

/**
 * What was asked for comes before what networks say by themselves; name servers are the host's where nobody says any.
 */
export function settingsOf(cached: readonly CachedAttachment[], world: World): Dns {
  const sorted = cached.toSorted(byInterface);
  const asked = sorted.map(({ ifname, capabilities }) => dnsOn(ifname, askedDns(capabilities['dns'])));
  const given = sorted.map(({ ifname, result }) => dnsOn(ifname, result?.dns ?? {}));
  const said = combineDns([...asked, ...given]);
  return Object.keys(said).length === 0 ? {} : combineDns([said, hostDns(world)]);
}

/** With a first line that knows the rest. */
export function signed(text: string): string {
  const sum = sha256(text).toString('hex', 0, 8);
  return `# Written by netmoor, which removes it with the networks unless it was changed: ${sum}\n${text}`;
}

function isOurs(content: string): boolean {
  const end = content.indexOf('\n') + 1;
  return content === signed(content.slice(end));
}

function attachedAt(path: string, world: World): CachedAttachment[] {
  return allCachedAttachments(world).filter(
    (cached) => cached.netns === path && cached.origin?.unfinished === false && isWhereItWas(cached, world),
  );
}

/** Directories that others use, too, stay. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
  }
}

function remove(directory: string): void {
  rmSync(`${directory}/resolv.conf`, { force: true });
  removeIfEmpty(directory);
  removeIfEmpty(ETC);
}

function write(directory: string, text: string): void {
  makeDirectory(directory);
  stageBelow(directory, 'resolv.conf', text, 'beneath').commit();
}

/** What became of the file: 'kept' is one that is not ours. */
type Outcome = 'written' | 'removed' | 'kept' | 'nothing';

function refresh(directory: string, path: string, world: World): Outcome {
  const present = world.files.read(`${directory}/resolv.conf`)?.toString();
  if (present !== undefined && !isOurs(present)) return 'kept';
  const dns = settingsOf(attachedAt(path, world), world);
  if (Object.keys(dns).length > 0) {
    if (dns.nameservers === undefined)
      throw new NetmoorError('bad-config', 'no name server is known', 'name one with --dns');
    const text = signed(resolvConfText(dns));
    if (text !== present) write(directory, text);
    return 'written';
  }
  if (present === undefined) return 'nothing';
  remove(directory);
  return 'removed';
}

/**
 * Brings the file of the namespace at `path` up to date after something was attached there or detached; nothing to do
 * for one that has no name. `said`: something attached just now has settings. Throws NetmoorError, and Node's errors
 * where /etc cannot be written.
 */
export function refreshResolvConf(path: string, said: boolean, world: World): Outcome {
  const file = resolvConfOf(path);
  if (file === undefined || (!said && world.files.read(file) === undefined)) return 'nothing';
  makeDirectory(LOCK_DIRECTORY);
  return withFileLock(`${LOCK_DIRECTORY}/resolv-conf.lock`, world, () => refresh(dirname(file), path, world));
}
