/** Asking whether somebody has an address before it is used (RFC 5227), without anybody waiting for it. */
import { parseAddress } from '../../../lib/base/ip.ts';
import { parseMac } from '../../../lib/base/mac.ts';
import { closeAside } from '../../../lib/system/close-aside.ts';
import { arpProbe, holderIn } from '../../../lib/system/neighbour-probe.ts';
import { inNetns } from '../../../lib/system/netns.ts';
import { ETH_P_ARP, openPacketSocket } from '../../../lib/system/packet-socket.ts';
import type { Reactor } from '../../../lib/system/reactor.ts';
import { receive, send } from '../../../lib/system/syscall.ts';
import { takeAll } from './transport.ts';
import type { Place } from './transport4.ts';

/** Instead of the seconds of section 1.1, as other clients of containers do: a LAN answers within milliseconds. */
const PROBES = 2;
const PROBE_MS = 200;
const LARGEST = 128;

/** Those of the IPv4 addresses that another station answers for. Closes the namespace. Throws SystemError. */
export async function whoseAre(
  { netns, index, mac }: Place,
  addresses: readonly string[],
  reactor: Pick<Reactor, 'watch' | 'at' | 'now'>,
): Promise<readonly string[]> {
  const own = parseMac(mac);
  const wanted = addresses.map((text) => ({ text, address: parseAddress(text) }));
  const taken = new Set<string>();
  let socket: number;
  try {
    socket = inNetns(netns, () => openPacketSocket({ index, protocol: ETH_P_ARP }));
  } finally {
    closeAside(netns.fd);
  }
  const buffer = Buffer.allocUnsafe(LARGEST);
  const hear = (): boolean => {
    const length = receive(socket, buffer, 'listen for ARP');
    if (length === undefined) return false;
    const frame = buffer.subarray(0, Math.min(length, LARGEST));
    for (const { text, address } of wanted) {
      const holder = holderIn(frame, address);
      if (holder && !holder.equals(own)) taken.add(text);
    }
    return true;
  };
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => {});
  // Whoever is root in the container may take the link down at any moment.
  const watch = reactor.watch(socket, () => takeAll(hear, reject));
  try {
    for (let probe = 0; probe < PROBES && taken.size === 0; probe++) {
      for (const { address } of wanted) send(socket, arpProbe(own, address), 'ask who has an address');
      const waited = new Promise<void>((resolve) => reactor.at(reactor.now() + PROBE_MS, resolve));
      await Promise.race([waited, broken]);
    }
    return [...taken];
  } finally {
    watch.stop();
    closeAside(socket);
  }
}
