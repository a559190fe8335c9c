/**
 * Directories in which container runtimes keep the files that they mount over a container's resolv.conf, hosts and
 * hostname. They are told by where the runtimes make them, never by the container's id alone: an id may be "etc", or
 * the name of any other directory, but these runtimes' ids are hashes.
 */

const HASH = /^[0-9a-f]{64}$/;

/** What stands before the id, and behind it. */
const PLACES: readonly (readonly [before: RegExp, behind: string])[] = [
  // podman, CRI-O: STORAGE/overlay-containers/ID/userdata, for whichever storage driver (containers/storage, store.go)
  [/\/[a-z0-9]+-containers\/$/, '/userdata'],
  // containerd's CRI plugin, of the sandbox that a container is itself
  [/\/io\.containerd\.grpc\.v1\.cri\/(sandboxes|containers)\/$/, ''],
  // nerdctl: DATA_ROOT/HASH/containers/NAMESPACE/ID and etchosts/NAMESPACE/ID
  [/^\/var\/lib\/nerdctl\/[0-9a-f]+\/(containers|etchosts)\/[^/]+\/$/, ''],
  // Docker
  [/^\/var\/lib\/docker\/containers\/$/, ''],
];

/** The directory of the container's own in which `path` is; undefined when it is in none. */
export function runtimeDirectory(path: string, containerId: string): string | undefined {
  if (!HASH.test(containerId)) return undefined;
  const start = path.indexOf(`/${containerId}/`) + 1;
  const before = path.slice(0, start);
  const place = PLACES.find(
    ([where, behind]) => where.test(before) && path.startsWith(`${before}${containerId}${behind}/`),
  );
  return place === undefined ? undefined : `${before}${containerId}${place[1]}`;
}
