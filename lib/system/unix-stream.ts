/**
 * Stream sockets of the file system (unix(7)) for clients that have nothing else to do than to wait: synchronous, with
 * deadlines. Node's own are asynchronous, and loading them takes milliseconds.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { SystemError, isErrno } from '../base/errors.ts';
import { Libc } from './native.ts';
import { bind, getsockopt, retried, retriedNow, setsockopt, socket, waitReadable } from './syscall.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLOUT = 4;
/** `sun_path` with its final zero byte. */
const PATH_BYTES = 108;

/** Who is at the other end, by the numbers of our user namespace (65534: somebody who has none there). */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

function addressOf(path: string): Buffer {
  const name = Buffer.from(path);
  if (name.length >= PATH_BYTES || name.includes(0))
    throw new RangeError(`a socket's path has less than ${PATH_BYTES} bytes: ${path}`);
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}

/** struct timeval; zero would mean no limit. */
function timeval(milliseconds: number): Buffer {
  const whole = Math.max(1, Math.ceil(milliseconds));
  const value = Buffer.alloc(16);
  value.writeBigInt64LE(BigInt(Math.floor(whole / 1000)), 0);
  value.writeBigInt64LE(BigInt((whole % 1000) * 1000), 8);
  return value;
}

/** The struct ucred of the other end of a connected socket. Throws SystemError. */
export function peerOf(fd: number, op: string): Peer {
  const ucred = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, 12, op);
  return { pid: ucred.readInt32LE(0), uid: ucred.readUInt32LE(4), gid: ucred.readUInt32LE(8) };
}

/**
 * A descriptor of the process that has connected (pidfd_open(2)), ours to close: readable when it has ended. 'ended'
 * when nothing is left of it, 'unknown' before Linux 6.5.
 */
export function peerPidfd(fd: number): number | 'ended' | 'unknown' {
  try {
    return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, 4, 'ask who has connected').readInt32LE(0);
  } catch (error) {
    return isErrno(error, 'ENOPROTOOPT') ? 'unknown' : 'ended';
  }
}

/** False when that time passed. */
function waitWritable(fd: number, milliseconds: number, op: string): boolean {
  const pollfd = Buffer.alloc(8);
  pollfd.writeInt32LE(fd, 0);
  pollfd.writeInt16LE(POLLOUT, 4);
  const wait = Math.max(0, Math.ceil(milliseconds));
  return retried(op, (libc) => libc.call('int poll(void *, uint64_t, int)', pollfd, 1, wait)) > 0;
}

/**
 * As much of it as there is room for at the moment: how many bytes that was. Throws SystemError: EPIPE, ECONNRESET when
 * the other end is gone.
 */
export function sendNow(fd: number, data: Uint8Array, op: string): number {
  const signature = 'int64_t send(int, const void *, size_t, int)';
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return retriedNow(op, (libc) => libc.call(signature, fd, data, data.length, flags)) ?? 0;
}

/** A connection; every method takes what is left of the caller's time, in milliseconds, as a function. */
export class UnixStream {
  readonly fd: number;
  readonly #op: string;

  private constructor(fd: number, op: string) {
    this.fd = fd;
    this.#op = op;
  }

  /**
   * Throws SystemError: ENOENT or ECONNREFUSED when nobody listens there, EAGAIN when whoever does had no room for us
   * in time.
   */
  static connect(path: string, left: () => number): UnixStream {
    const op = `connect to ${path}`;
    const address = addressOf(path);
    const fd = socket(AF_UNIX, SOCK_STREAM, 0, op);
    try {
      for (;;) {
        // It is this limit that connect(2) waits for, while the queue of the listener is full.
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, timeval(left()), op);
        const libc = Libc.get();
        const signature = 'int connect(int, const void *, uint32_t)';
        const result = libc.call(signature, fd, address, address.length);
        if (result === 0) return new UnixStream(fd, op);
        if (result !== -constants.errno.EINTR || left() <= 0) throw new SystemError(op, -result);
      }
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  get peer(): Peer {
    return peerOf(this.fd, this.#op);
  }

  /** False when the time is over. Throws SystemError: EPIPE, ECONNRESET when the other end is gone. */
  send(data: Uint8Array, left: () => number): boolean {
    for (let sent = 0; sent < data.length; ) {
      const count = sendNow(this.fd, data.subarray(sent), this.#op);
      if (count === 0 && !waitWritable(this.fd, left(), this.#op)) return false;
      sent += count;
    }
    return true;
  }

  /**
   * Fills the buffer. 'late' when the time is over first, 'end' when the other end closes first. Throws SystemError:
   * ECONNRESET.
   */
  fill(buffer: Buffer, left: () => number): 'full' | 'late' | 'end' {
    const signature = 'int64_t recv(int, void *, size_t, int)';
    for (let filled = 0; filled < buffer.length; ) {
      if (!waitReadable(this.fd, left(), this.#op)) return 'late';
      const rest = buffer.subarray(filled);
      const count = retried(this.#op, (libc) => libc.call(signature, this.fd, rest, rest.length, 0));
      if (count === 0) return 'end';
      filled += count;
    }
    return 'full';
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** A listening socket at a path where nothing is yet; the umask says who may connect. Throws SystemError. */
export function listenStream(path: string, backlog: number): number {
  const op = `listen at ${path}`;
  const fd = socket(AF_UNIX, SOCK_STREAM, 0, op);
  try {
    bind(fd, addressOf(path), op);
    retried(op, (libc) => libc.call('int listen(int, int)', fd, backlog));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Whether a descriptor is a stream socket of the file system that listens. */
export function isListeningStream(fd: number): boolean {
  const option = (name: number): number =>
    getsockopt(fd, SOL_SOCKET, name, 4, `inspect descriptor ${fd}`).readInt32LE(0);
  try {
    return option(SO_DOMAIN) === AF_UNIX && option(SO_TYPE) === SOCK_STREAM && option(SO_ACCEPTCONN) === 1;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}
