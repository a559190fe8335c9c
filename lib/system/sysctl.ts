/** Kernel settings under /proc/sys/net, which shows the network namespace of the thread that opens it (proc(5)). */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { isErrno } from '../base/errors.ts';
import { PROC } from './procfs.ts';

function pathOf(key: readonly string[], proc = PROC): string {
  if (key.some((part) => part === '' || part === '.' || part === '..' || part.includes('/'))) {
    throw new RangeError(`not a sysctl key: ${key.join('/')}`);
  }
  return `${proc}/sys/${key.join('/')}`;
}

/** Whether the kernel has IPv6, which then has settings here. */
export function hasIpv6(): boolean {
  return existsSync('/proc/sys/net/ipv6');
}

/** The value, without its newline; throws Node's fs error when there is no such setting. */
export function readSysctl(...key: string[]): string {
  return readFileSync(pathOf(key), 'utf8').trimEnd();
}

/** The same; undefined when there is no such setting. */
export function readSysctlIfPresent(...key: string[]): string | undefined {
  try {
    return readSysctl(...key);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Writes unless the value stands there already: containers often see /proc/sys read-only with the right values in it.
 */
export function ensureSysctl(value: string, ...key: string[]): void {
  if (readSysctl(...key) !== value) writeSysctl(value, ...key);
}

/** Writes whatever stands there; for settings that cannot be read. */
export function writeSysctl(value: string, ...key: string[]): void {
  write(pathOf(key), value);
}

function write(path: string, value: string): void {
  const fd = openSync(path, 'w');
  try {
    writeSync(fd, value);
  } finally {
    closeSync(fd);
  }
}

/**
 * Writes numbers of one directory; what the kernel does not have is left out. The directory is looked for once: that is
 * what takes long (see procfs.ts).
 */
export function writeSysctlsIn(
  directory: readonly string[],
  values: readonly (readonly [string, number])[],
  proc = PROC,
): void {
  if (values.length === 0) return;
  const fd = openSync(pathOf(directory, proc), 'r');
  try {
    for (const [key, value] of values) {
      try {
        write(`/proc/self/fd/${fd}/${key}`, `${value}`);
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** Like ensureSysctl; false when the kernel has no such setting (IPv6 switched off, an older kernel). */
export function ensureSysctlIfPresent(value: string, ...key: string[]): boolean {
  try {
    ensureSysctl(value, ...key);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
