/**
 * The file system as a program in a network namespace should see it, the way `ip netns exec` sets it up (ip-netns(8)):
 * /sys that shows the namespace's own interfaces, and over files in /etc those of /etc/netns/NAME, such as resolv.conf.
 */
import { existsSync, readdirSync } from 'node:fs';
import { isErrno } from '../base/errors.ts';
import {
  CLONE_NEWNS,
  MNT_DETACH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_REC,
  MS_SLAVE,
  mount,
  umount,
  unshare,
} from './syscall.ts';

const ETC = '/etc/netns';

function filesFor(name: string): string[] {
  try {
    return readdirSync(`${ETC}/${name}`);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** sysfs shows the network of who mounts it. */
function remountSys(): void {
  try {
    umount('/sys', MNT_DETACH, 'unmount /sys');
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'ENOENT')) throw error;
  }
  mount('sysfs', '/sys', MS_NOSUID | MS_NODEV | MS_NOEXEC, 'mount /sys', 'sysfs');
}

/**
 * Gives the calling thread mounts of its own, made for the network namespace it is in, for the rest of its life: to be
 * called right before `become`. `name` is the namespace's name, if it has one.
 */
export function viewFromNetns(name: string | undefined): void {
  unshare(CLONE_NEWNS, 'create a mount namespace');
  mount('', '/', MS_SLAVE | MS_REC, 'keep the mounts private');
  remountSys();
  for (const file of name === undefined ? [] : filesFor(name)) {
    const target = `/etc/${file}`;
    if (existsSync(target))
      mount(`${ETC}/${name}/${file}`, target, MS_BIND, `put ${ETC}/${name}/${file} over ${target}`);
  }
}
