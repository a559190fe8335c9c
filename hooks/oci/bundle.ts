/**
 * What a bundle's config.json tells about the container (OCI runtime-spec 1.1.0, config.md, config-linux.md
 * "Namespaces"). It may be missing: containerd's shims and virtual machine runtimes keep it elsewhere.
 */
import { posix } from 'node:path';
import { NetmoorError } from '../../lib/base/errors.ts';
import { parseJsonObject } from '../../lib/cni/json.ts';
import { schemaProblem } from '../../lib/cni/schema-errors.ts';
import type { World } from '../../lib/cni/world.ts';
import { validate } from '../../schemas/compiled/oci-config.js';
import type { OciConfig } from '../../schemas/compiled/oci-config.js';
import configSchema from '../../schemas/oci-config.schema.json' with { type: 'json' };

export interface Mount {
  /** Absolute, without "." and "..". */
  readonly destination: string;
  /** The file or directory that is bound there, absolute; undefined for a file system of its own. */
  readonly source?: string;
}

export interface Bundle {
  readonly directory: string;
  readonly hasNetworkNamespace: boolean;
  /** The namespace that the container joins; undefined when it gets a new one. */
  readonly netns?: string;
  /** Absolute; undefined when config.json names none (a virtual machine). */
  readonly rootfs?: string;
  readonly hostname?: string;
  /** In the order in which they are mounted. */
  readonly mounts: readonly Mount[];
}

function readMount(mount: NonNullable<OciConfig['mounts']>[number], directory: string): Mount {
  const destination = posix.resolve('/', mount.destination);
  const isBind =
    mount.type === 'bind' || (mount.options ?? []).some((option) => option === 'bind' || option === 'rbind');
  return isBind && mount.source
    ? { destination, source: posix.resolve(directory, mount.source) }
    : { destination };
}

/**
 * The bundle at that directory; undefined when there is no config.json. Throws NetmoorError 'bad-json', 'bad-config',
 * 'io'.
 */
export function readBundle(directory: string, { files }: Pick<World, 'files'>): Bundle | undefined {
  const file = posix.join(directory, 'config.json');
  const content = files.read(file);
  if (content === undefined) return undefined;
  const input: unknown = parseJsonObject(content, file);
  if (!validate(input)) throw schemaProblem(configSchema, validate.errors, input, 'config.json');
  const { root, hostname, mounts = [], linux } = input;
  const network = (linux?.namespaces ?? []).find(({ type }) => type === 'network');
  return {
    directory,
    hasNetworkNamespace: network !== undefined,
    ...(network?.path ? { netns: network.path } : {}),
    mounts: mounts.map((mount) => readMount(mount, directory)),
    ...(root === undefined ? {} : { rootfs: posix.resolve(directory, root.path) }),
    ...(hostname ? { hostname } : {}),
  };
}

/** Refuses a container that shares the network of who starts it: there is nothing to attach, and the host to lose. */
export function requireNetworkNamespace(bundle: Bundle): void {
  if (bundle.hasNetworkNamespace) return;
  throw new NetmoorError(
    'own-netns',
    'the container has no network namespace of its own',
    'add { "type": "network" } to linux.namespaces in config.json, or take netmoor-hook out of it',
  );
}
