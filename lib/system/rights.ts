/**
 * Descriptors that another process sends over a socket of the file system (unix(7) SCM_RIGHTS). Node's streams lose
 * them, so the first bytes of a connection are read here.
 */
import { closeSync } from 'node:fs';
import { Libc } from './native.ts';
import { retriedNow } from './syscall.ts';

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CTRUNC = 8;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** struct msghdr and struct iovec of 64-bit Linux. */
const MSGHDR_BYTES = 56;
const IOVEC_BYTES = 16;
const CMSG_HEADER_BYTES = 16;
/** Room for a few descriptors; what does not fit the kernel closes. */
const CONTROL_BYTES = 64;

export interface Received {
  readonly data: Buffer;
  /** Ours to close, close-on-exec. */
  readonly descriptors: readonly number[];
}

function descriptorsIn(control: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + CMSG_HEADER_BYTES <= control.length; ) {
    const length = Number(control.readBigUInt64LE(at));
    if (length < CMSG_HEADER_BYTES || at + length > control.length) break;
    const rights = control.readInt32LE(at + 8) === SOL_SOCKET && control.readInt32LE(at + 12) === SCM_RIGHTS;
    for (let fd = at + CMSG_HEADER_BYTES; rights && fd + 4 <= at + length; fd += 4)
      found.push(control.readInt32LE(fd));
    at += Math.ceil(length / 8) * 8;
  }
  return found;
}

function pointers(...values: readonly bigint[]): Buffer {
  const buffer = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => void buffer.writeBigUInt64LE(value, index * 8));
  return buffer;
}

/**
 * What has arrived at a stream socket, up to `room` bytes, without waiting: undefined when nothing has; no data at its
 * end. Throws SystemError.
 */
export function receiveRights(fd: number, room: number, op: string): Received | undefined {
  const libc = Libc.get();
  const data = Buffer.allocUnsafe(room);
  const control = Buffer.alloc(CONTROL_BYTES);
  const iovec = pointers(libc.addressOf(data), BigInt(data.length));
  const message = Buffer.alloc(MSGHDR_BYTES);
  pointers(0n, 0n, libc.addressOf(iovec), 1n, libc.addressOf(control), BigInt(CONTROL_BYTES), 0n).copy(
    message,
  );
  const signature = 'int64_t recvmsg(int, void *, int)';
  const count = retriedNow(op, () => libc.call(signature, fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
  if (count === undefined) return undefined;
  // They are referred to by their addresses alone: named here, they live until the call has been made.
  const used = iovec.length === IOVEC_BYTES ? Number(message.readBigUInt64LE(40)) : 0;
  const descriptors = descriptorsIn(control.subarray(0, used));
  if ((message.readInt32LE(48) & MSG_CTRUNC) === 0) return { data: data.subarray(0, count), descriptors };
  for (const each of descriptors) closeSync(each);
  return { data: data.subarray(0, count), descriptors: [] };
}
