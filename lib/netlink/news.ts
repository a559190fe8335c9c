/** Hearing that something has changed, for who waits on many sockets at once (lib/system/reactor.ts). */
import { closeSync } from 'node:fs';
import { closeAside } from '../system/close-aside.ts';
import type { Reactor } from '../system/reactor.ts';
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

/** One who listens. */
export interface Ear {
  close(): void;
}

/** Calls `heard` with a socket of openNews() whenever that can be read, until it is closed. Throws SystemError. */
export function listenFor(
  reactor: Pick<Reactor, 'watch'>,
  group: number,
  heard: (socket: number) => void,
): Ear {
  const socket = openNews(group);
  const watch = reactor.watch(socket, () => heard(socket));
  return {
    close() {
      watch.stop();
      closeAside(socket);
    },
  };
}
