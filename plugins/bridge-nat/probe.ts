/** STATUS: whether the kernel can do what bridge-nat asks of it. */
import { parseAddress, parsePrefix } from '../../lib/base/ip.ts';
import { tryKernel } from '../../lib/mooring/probe.ts';
import type { Trial } from '../../lib/mooring/probe.ts';
import { createBridge, createVeth } from '../../lib/netlink/link-creation.ts';
import { addAttachment } from '../../lib/nftables/table.ts';
import { KIND } from './detail.ts';

/** One of everything that bridge-nat asks of a kernel, documentation addresses throughout (RFC 5737, RFC 3849). */
function makeOneOfEverything({ route, netfilter, here }: Trial): void {
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
}

/** Throws NetmoorError('not-available'). */
export function probeKernel(vlans = false): void {
  tryKernel(KIND, 'bridge, veth and nf_tables (nat, masquerade, fib)', makeOneOfEverything);
  if (!vlans) return;
  tryKernel(KIND, 'bridges that tell VLANs apart (CONFIG_BRIDGE_VLAN_FILTERING)', ({ route }) => {
    createBridge(route, { name: 'probe', mac: '02:00:00:00:00:01', alias: 'netmoor', vlanFiltering: true });
  });
}
