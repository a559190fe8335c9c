/**
 * A packet out of a namespace towards the world, and where it comes out of the host. It has so few hops before it that
 * it dies at the first machine behind the host.
 */
import { closeSync } from 'node:fs';
import { isErrno } from '../../lib/base/errors.ts';
import { addressFromBytes, formatAddress, parseAddress } from '../../lib/base/ip.ts';
import type { World } from '../../lib/cni/world.ts';
import { closeAside } from '../../lib/system/close-aside.ts';
import { inNetns } from '../../lib/system/netns.ts';
import type { Netns } from '../../lib/system/netns.ts';
import { nextOutgoing, openOutgoing } from '../../lib/system/outgoing.ts';
import type { Outgoing } from '../../lib/system/outgoing.ts';
import { connect, receive, send, setsockoptInt, socket, waitReadable } from '../../lib/system/syscall.ts';
import { sockaddr } from '../../lib/system/udp-socket.ts';

const [AF_INET, AF_INET6, SOCK_DGRAM, SOCK_NONBLOCK] = [2, 10, 2, 0o4000];
const OP = 'send a probe';

/** Level, and names of the options: IP_TTL and IP_RECVERR (linux/in.h), IPV6_UNICAST_HOPS and IPV6_RECVERR. */
const OPTIONS = {
  4: { level: 0, hops: 2, errors: 11 },
  6: { level: 41, hops: 16, errors: 25 },
} as const;
/** One to the host, which routes it on, and one behind it. */
const HOPS = 2;
/** Where traceroute(8) begins. */
const PORT = 33434;
/** Milliseconds for which one waits for what may have to find its next hop first, and between two packets. */
const PATIENCE_MS = 600;
const INTERVAL_MS = 150;
const SOURCE = { 4: { at: 12, length: 4 }, 6: { at: 8, length: 16 } } as const;

/** By which interface, as whom it left; undefined: it did not. */
export interface WayOut {
  readonly index: number;
  readonly source: string;
}

function openSender(target: string): number {
  const address = parseAddress(target);
  const { level, hops, errors } = OPTIONS[address.family];
  const fd = socket(address.family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0, OP);
  try {
    setsockoptInt(fd, level, hops, HOPS, OP);
    setsockoptInt(fd, level, errors, 1, OP);
    connect(fd, sockaddr({ address, port: PORT }), OP);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Whether the network has said that it goes no further; what it says of the hops comes from behind the host. */
function isRefused(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (isErrno(error, 'ENETUNREACH', 'EHOSTUNREACH', 'ECONNREFUSED', 'EACCES', 'EPERM')) return true;
    throw error;
  }
}

function readWay({ index, packet }: Outgoing, token: Buffer): WayOut | undefined {
  if (!packet.includes(token)) return undefined;
  const { at, length } = SOURCE[(packet[0] ?? 0) >> 4 === 4 ? 4 : 6];
  return { index, source: formatAddress(addressFromBytes(packet.subarray(at, at + length))) };
}

function seen(listening: number, token: Buffer): WayOut | undefined {
  for (;;) {
    const outgoing = nextOutgoing(listening);
    if (outgoing === undefined) return undefined;
    const way = readWay(outgoing, token);
    if (way !== undefined) return way;
  }
}

function observe(sender: number, listening: number, world: World): WayOut | undefined {
  const token = world.random(16);
  const buffer = Buffer.alloc(64);
  const end = world.monotonic() + PATIENCE_MS;
  let refused = false;
  for (let next = 0; ; ) {
    const now = world.monotonic();
    if (now >= next && !refused) {
      refused = isRefused(() => send(sender, token, OP));
      next = now + INTERVAL_MS;
    }
    waitReadable(listening, refused ? 0 : 20, OP);
    refused ||= isRefused(() => void receive(sender, buffer, OP));
    // What left the host did so before anybody could complain about it.
    const way = seen(listening, token);
    if (way !== undefined || refused || now >= end) return way;
  }
}

/** Sends to the address, of either family, from within; without a route of its own to it nothing is sent. */
export function probe(from: Netns, target: string, world: World): WayOut | undefined {
  const listening = openOutgoing(PORT);
  try {
    const sender = inNetns(from, () => {
      try {
        return openSender(target);
      } catch (error) {
        if (isErrno(error, 'ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT')) return undefined;
        throw error;
      }
    });
    if (sender === undefined) return undefined;
    try {
      return observe(sender, listening, world);
    } finally {
      closeSync(sender);
    }
  } finally {
    closeAside(listening);
  }
}
