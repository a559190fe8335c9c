/** pipe(2): two descriptors that no other program inherits unless it is given one. */
import { retried } from './syscall.ts';

const O_CLOEXEC = 0o2000000;

export interface Pipe {
  readonly read: number;
  readonly write: number;
}

export function pipe(op: string): Pipe {
  const fds = Buffer.alloc(8);
  retried(op, (libc) => libc.call('int pipe2(void *, int)', fds, O_CLOEXEC));
  return { read: fds.readInt32LE(0), write: fds.readInt32LE(4) };
}
