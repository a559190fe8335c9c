/** Hearing that something has changed, for who waits on many sockets at once (lib/system/reactor.ts). */
import { closeSync } from 'node:fs';
import { AF_NETLINK, SOCK_RAW, bind, setsockoptInt, socket } from '../system/syscall.ts';
import { SOL_NETLINK } from './transport.ts';
import { NETLINK_ADD_MEMBERSHIP, NETLINK_ROUTE } from './uapi.ts';

const OP = 'listen to the kernel';

/**
 * A socket of the calling thread's namespace that can be read whenever a group of rtnetlink (RTNLGRP_*), or of another
 * protocol (NETLINK_*), has something to tell; what it says is to be asked anew. Throws SystemError.
 */
export function openNews(group: number, protocol = NETLINK_ROUTE): number {
  const fd = socket(AF_NETLINK, SOCK_RAW, protocol, OP);
  try {
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK, 0);
    bind(fd, address, OP);
    setsockoptInt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, OP);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
