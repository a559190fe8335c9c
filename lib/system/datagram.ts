/** One datagram to a unix socket, such as syslog's: Node has no such sockets (unix(7)). */
import { closeSync } from 'node:fs';
import { sendTo, socket } from './syscall.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** `sun_path` with its final zero byte. */
const PATH_BYTES = 108;

function addressOf(path: string): Buffer {
  const name = Buffer.from(path);
  if (name.length >= PATH_BYTES)
    throw new RangeError(`a socket's path has less than ${PATH_BYTES} bytes: ${path}`);
  const address = Buffer.alloc(2 + PATH_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}

/**
 * Sends without waiting for a receiver that does not keep up. Throws SystemError; ENOENT or ECONNREFUSED when nobody is
 * there.
 */
export function sendDatagram(path: string, data: Uint8Array): void {
  const op = `send to ${path}`;
  const address = addressOf(path);
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0, op);
  try {
    sendTo(fd, data, MSG_DONTWAIT | MSG_NOSIGNAL, address, op);
  } finally {
    closeSync(fd);
  }
}
