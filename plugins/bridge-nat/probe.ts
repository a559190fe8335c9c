/** STATUS: whether the kernel can do what bridge-nat asks of it. */
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { createBridge, createVeth } from '../../lib/netlink/link-creation.ts';
import { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { addAttachment } from '../../lib/nftables/table.ts';
import { inNewNetns, openNetns, closeNetns } from '../../lib/system/netns.ts';
import { parseAddress, parsePrefix } from '../../lib/base/ip.ts';

function unavailable(message: string, details: string, cause?: unknown): NetmoorError {
  return new NetmoorError('not-available', message, details, { cause });
}

/** One of everything that bridge-nat asks of a kernel, documentation addresses throughout (RFC 5737, RFC 3849). */
function makeOneOfEverything(): void {
  const route = NetlinkSocket.open('route');
  const netfilter = NetlinkSocket.open('netfilter');
  const here = openNetns('/proc/thread-self/ns/net');
  try {
    const bridge = createBridge(route, { name: 'probe', mac: '02:00:00:00:00:01', alias: 'netmoor' });
    createVeth(route, {
      name: 'probe0',
      mac: '02:00:00:00:00:02',
      master: bridge.index,
      peer: { name: 'probe1', mac: '02:00:00:00:00:03', netnsFd: here.fd },
    });
    const container = parseAddress('192.0.2.2');
    addAttachment(
      netfilter,
      {
        owner: { network: 'probe', containerId: 'probe', ifname: 'probe1' },
        rules: {
          network: 'probe',
          bridge: 'probe',
          subnets: [parsePrefix('192.0.2.0/24'), parsePrefix('2001:db8::/64')],
          ingressPolicy: 'open',
        },
        masquerade: [container, parseAddress('2001:db8::2')],
        forwards: [{ protocol: 'tcp', hostPort: 80, count: 1, container, containerPort: 80 }],
      },
      () => [],
    );
  } finally {
    closeNetns(here);
    route.close();
    netfilter.close();
  }
}

/** Tries the kernel in a namespace made for it: what works there works for a container. Throws 'not-available'. */
export function probeKernel(): void {
  try {
    inNewNetns(makeOneOfEverything);
  } catch (error) {
    throw unavailable(
      `this kernel does not let bridge-nat work: ${errorText(error)}`,
      'it needs CAP_NET_ADMIN and CAP_SYS_ADMIN, and a kernel with bridge, veth and nf_tables (nat, masquerade, fib)',
      error,
    );
  }
}
