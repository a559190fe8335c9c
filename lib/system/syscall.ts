/**
 * System calls that Node does not offer, synchronous, each throwing SystemError. Flag values are those of the
 * x86-64/arm64 uapi headers.
 */
import { constants } from 'node:os';
import { SystemError } from '../base/errors.ts';
import { Libc } from './native.ts';

export const AF_NETLINK = 16;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_NEWNS = 0x00020000;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_BIND = 4096;
export const MS_REC = 0x4000;
export const MS_SLAVE = 0x80000;
export const MS_SHARED = 0x100000;
export const MNT_DETACH = 2;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const POLLIN = 1;

/** Runs one call, again when a signal interrupted it. What it returns, or its errno as a negative number. */
function outcome(call: (libc: Libc) => number): number {
  const libc = Libc.get();
  for (;;) {
    const result = call(libc);
    if (result !== -constants.errno.EINTR) return result;
  }
}

/** Runs one call, again when a signal interrupted it. Throws SystemError. */
export function retried(op: string, call: (libc: Libc) => number): number {
  const result = outcome(call);
  if (result < 0) throw new SystemError(op, -result);
  return result;
}

/** The same of a call that does not wait: undefined when it would have to. */
export function retriedNow(op: string, call: (libc: Libc) => number): number | undefined {
  const result = outcome(call);
  if (result === -constants.errno.EAGAIN) return undefined;
  if (result < 0) throw new SystemError(op, -result);
  return result;
}

export function socket(domain: number, type: number, protocol: number, op: string): number {
  return retried(op, (libc) => libc.call('int socket(int, int, int)', domain, type | SOCK_CLOEXEC, protocol));
}

export function bind(fd: number, address: Buffer, op: string): void {
  retried(op, (libc) => libc.call('int bind(int, const void *, uint32_t)', fd, address, address.length));
}

export function connect(fd: number, address: Buffer, op: string): void {
  retried(op, (libc) => libc.call('int connect(int, const void *, uint32_t)', fd, address, address.length));
}

export function setsockopt(fd: number, level: number, option: number, value: Buffer, op: string): void {
  retried(op, (libc) =>
    libc.call(
      'int setsockopt(int, int, int, const void *, uint32_t)',
      fd,
      level,
      option,
      value,
      value.length,
    ),
  );
}

/** The option's `bytes` bytes. Throws SystemError. */
export function getsockopt(fd: number, level: number, option: number, bytes: number, op: string): Buffer {
  const value = Buffer.alloc(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes);
  const signature = 'int getsockopt(int, int, int, void *, void *)';
  retried(op, (libc) => libc.call(signature, fd, level, option, value, length));
  return value;
}

/** An option that is an int, as most are. */
export function setsockoptInt(fd: number, level: number, option: number, value: number, op: string): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  setsockopt(fd, level, option, bytes, op);
}

export function send(fd: number, data: Uint8Array, op: string): void {
  retried(op, (libc) => libc.call('int64_t send(int, const void *, size_t, int)', fd, data, data.length, 0));
}

/** `flags`: MSG_*; `address`: a struct sockaddr of the socket's family. */
export function sendTo(fd: number, data: Uint8Array, flags: number, address: Buffer, op: string): void {
  const signature = 'int64_t sendto(int, const void *, size_t, int, const void *, uint32_t)';
  retried(op, (libc) => libc.call(signature, fd, data, data.length, flags, address, address.length));
}

/** A datagram as `receive`, and the struct sockaddr it came from, into `address`. */
export function receiveFrom(fd: number, buffer: Buffer, address: Buffer, op: string): number | undefined {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(address.length);
  const signature = 'int64_t recvfrom(int, void *, size_t, int, void *, void *)';
  return retriedNow(op, (libc) =>
    libc.call(signature, fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC, address, length),
  );
}

/**
 * One datagram into `buffer`: its whole length, which is over `buffer.length` when it was cut;
 * undefined when nothing is waiting.
 */
export function receive(fd: number, buffer: Buffer, op: string): number | undefined {
  const signature = 'int64_t recv(int, void *, size_t, int)';
  return retriedNow(op, (libc) => libc.call(signature, fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC));
}

/** Waits until `fd` can be read, at most `milliseconds`; false when that time passed. */
export function waitReadable(fd: number, milliseconds: number, op: string): boolean {
  const pollfd = Buffer.alloc(8);
  pollfd.writeInt32LE(fd, 0);
  pollfd.writeInt16LE(POLLIN, 4);
  const wait = Math.max(0, Math.ceil(milliseconds));
  return retried(op, (libc) => libc.call('int poll(void *, uint64_t, int)', pollfd, 1, wait)) > 0;
}

/** Whether a stream socket has been closed at its other end, for reading and writing, or its holder has ended. */
export function isHungUp(fd: number, op: string): boolean {
  const pollfd = Buffer.alloc(8);
  pollfd.writeInt32LE(fd, 0);
  return retried(op, (libc) => libc.call('int poll(void *, uint64_t, int)', pollfd, 1, 0)) > 0;
}

export function setns(fd: number, nstype: number, op: string): void {
  retried(op, (libc) => libc.call('int setns(int, int)', fd, nstype));
}

export function unshare(flags: number, op: string): void {
  retried(op, (libc) => libc.call('int unshare(int)', flags));
}

/** mount(2); `type` is of no account for bind mounts and changes of propagation. */
export function mount(source: string, target: string, flags: number, op: string, type = 'none'): void {
  retried(op, (libc) =>
    libc.call('int mount(str, str, str, uint64_t, const void *)', source, target, type, flags, null),
  );
}

export function umount(target: string, flags: number, op: string): void {
  retried(op, (libc) => libc.call('int umount2(str, int)', target, flags));
}
