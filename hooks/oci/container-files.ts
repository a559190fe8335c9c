/**
 * Where resolv.conf, hosts and hostname of a container are: in its root file system, or in a file that its
 * configuration mounts over them. At createRuntime the mounts are there for the container only; what a path means is
 * read from the configuration.
 */
import { relative } from 'node:path';
import { NetmoorError } from '../../lib/base/errors.ts';
import { quote } from '../../lib/cni/quote.ts';
import type { Bundle, Mount } from './bundle.ts';
import type { ContainerFile } from './config.ts';
import { runtimeDirectory } from './runtime-directories.ts';
import { stageBelow, stageInPlace } from './staged-file.ts';
import type { StagedFile } from './staged-file.ts';

function isAt(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`);
}

/** The last mount that has a say in what is at this path. */
function mountOver(path: string, mounts: readonly Mount[]): Mount | undefined {
  return mounts.findLast((mount) => isAt(path, mount.destination));
}

/**
 * The directory below which a mounted file is the container's own: the bundle, or what a runtime made for it. Any other
 * file may be the host's, such as its own /etc/resolv.conf, which a bundle in a directory above it would take for the
 * container's.
 */
function ownDirectory(source: string, { directory }: Bundle, containerId: string): string | undefined {
  if (isAt('/etc', directory) || isAt(directory, '/etc')) return undefined;
  if (isAt(source, directory) && source !== directory) return directory;
  return runtimeDirectory(source, containerId);
}

/**
 * Stages one file. Throws NetmoorError 'io', or 'bad-config' when it would be somebody else's, or hidden from the
 * container.
 */
export function stageContainerFile(
  file: ContainerFile,
  text: string,
  bundle: Bundle,
  containerId: string,
): StagedFile {
  const path = `/etc/${file}`;
  const mount = mountOver(path, bundle.mounts);
  if (mount === undefined) {
    if (bundle.rootfs !== undefined) return stageBelow(bundle.rootfs, path.slice(1), text, 'root');
    throw new NetmoorError(
      'bad-config',
      'config.json names no root file system to write to',
      'take "files" out of the options',
    );
  }
  const own = mount.source === undefined ? undefined : ownDirectory(mount.source, bundle, containerId);
  if (mount.destination === path && mount.source !== undefined && own !== undefined) {
    return stageInPlace(own, relative(own, mount.source), text);
  }
  const what = mount.source === undefined ? 'a file system of its own' : quote(mount.source);
  throw new NetmoorError(
    'bad-config',
    `${path} of the container is not written: config.json mounts ${what} at ${mount.destination}`,
    `mount a file of the bundle at ${path}, or take "${file}" out of the option "files"`,
  );
}
