/**
 * A container's file system made of busybox-static alone: no registry, no image builder.
 */
import { existsSync } from 'node:fs';
import type { Host } from '../kernel/harness.ts';

export const ROOTFS = '/run/rootfs';
export const ROOTFS_TAR = '/run/rootfs.tar';

/** Lays the file system out at ROOTFS inside the host, and as a tar archive beside it. */
export async function makeRootfs(host: Host): Promise<void> {
  // Two runtimes share it.
  if (existsSync(host.path(ROOTFS_TAR))) return;
  await host.shell(`
mkdir -p ${ROOTFS}
cd ${ROOTFS}
mkdir bin etc proc sys dev tmp
cp /bin/busybox bin/
chroot . /bin/busybox --install -s /bin
tar -cf ${ROOTFS_TAR} .
`);
}
