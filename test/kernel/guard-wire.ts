/** Sending frames as they are, and hearing what arrives: packet sockets in the places where the frames come and go. */
import type { Place } from './harness.ts';
import type { Background } from './harness-process.ts';

/** struct sockaddr_ll, and SIOCGIFINDEX. */
const PACKET = `use strict; my ($ifname, $bypass) = @ARGV; $| = 1;
  socket(my $s, 17, 3, 0) or die "socket: $!";
  my $request = pack('a16 x24', $ifname);
  ioctl($s, 0x8933, $request) or die "$ifname: $!";
  my $index = unpack('x16 i', $request);
  sub at { pack('S n i S C C a8', 17, $_[0], $index, 0, 0, 0, '') }`;

/** Each line: the protocol that the frame is sent as (0: what it says itself), and its bytes, both hexadecimal. */
const SENDER = `${PACKET}
  if ($bypass) { setsockopt($s, 263, 20, pack('i', 1)) or die "PACKET_QDISC_BYPASS: $!" }
  print "ready\\n";
  while (<STDIN>) {
    my ($as, $frame) = split;
    defined send($s, pack('H*', $frame), 0, at(hex $as)) or print "send: $!\\n";
  }`;

/** What comes in (not what leaves: PACKET_OUTGOING), a line each. */
const LISTENER = `${PACKET}
  bind($s, at(3)) or die "bind: $!";
  print "ready\\n";
  while (defined(my $from = recv($s, my $frame, 65536, 0))) {
    print unpack('H*', $frame), "\\n" unless unpack('x10 C', $from) == 4;
  }`;

async function packetSocket(
  place: Place,
  script: string,
  ...args: readonly [ifname: string, ...string[]]
): Promise<Background> {
  // On one processor frames arrive in the order in which they were sent.
  const process = place.start(['taskset', '-c', '0', 'perl', '-e', script, ...args]);
  await process.until(
    () => process.output.startsWith('ready'),
    `packet socket on ${args[0]} of ${place.name}`,
  );
  return process;
}

/** With `bypass` its frames go by the queues of the interface (PACKET_QDISC_BYPASS). */
export async function startSender(
  place: Place,
  { ifname = 'eth0', bypass = false }: { ifname?: string; bypass?: boolean } = {},
): Promise<Background> {
  return packetSocket(place, SENDER, ifname, bypass ? '1' : '');
}

export const startListener = (place: Place, ifname = 'eth0') => packetSocket(place, LISTENER, ifname);

/** Sends one frame; resolves when it is out. */
export async function sendFrame(place: Place, frame: Buffer, ifname = 'eth0'): Promise<void> {
  const input = `0 ${frame.toString('hex')}\n`;
  await place.must(['taskset', '-c', '0', 'perl', '-e', SENDER, ifname], { input });
}

/** A frame told from all others by what stands behind it, where Ethernet pads. */
export interface Marked {
  readonly mark: string;
  readonly line: string;
}

/** Makes marks that nothing else has. */
export function marker(): (frame: Buffer, sentAs?: number) => Marked {
  let count = 0;
  return (frame, sentAs = 0) => {
    count += 1;
    const mark = `6d61726b${count.toString(16).padStart(8, '0')}6b72616d`;
    const padded = Buffer.concat([frame, Buffer.alloc(Math.max(0, 60 - frame.length))]).toString('hex');
    return { mark, line: `${sentAs.toString(16)} ${padded}${mark}\n` };
  };
}

/**
 * Sends a frame, and behind it one that arrives everywhere; resolves with those of the listeners that heard the first
 * when all have heard the second.
 */
export async function heardBy<L extends string>(
  sender: Background,
  { mark, line }: Marked,
  sentinel: Marked,
  listeners: Readonly<Record<L, Background>>,
): Promise<L[]> {
  sender.write(line);
  sender.write(sentinel.line);
  const all = Object.entries<Background>(listeners);
  for (const [name, listener] of all)
    await listener.until(
      () => listener.output.includes(sentinel.mark),
      `a frame behind the crafted one at ${name}`,
    );
  return all.filter(([, listener]) => listener.output.includes(mark)).map(([name]) => name as L);
}

/** br_netfilter cuts off what stands behind an IP packet, by which a frame is told here. */
export async function withoutBrNetfilter(host: Place): Promise<void> {
  await host.shell(
    'for each in iptables ip6tables arptables; do echo 0 > /proc/sys/net/bridge/bridge-nf-call-$each; done',
  );
}
