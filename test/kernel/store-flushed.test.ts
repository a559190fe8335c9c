/** What an answer promises is on disk before it is given, and what it does not promise waits for no disk (strace). */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { BRIDGE_NAT, Network } from './moorings.ts';
import { lacking, withHost } from './harness.ts';
import type { Host } from './harness.ts';

const skip = lacking('strace') ?? false;

const TRACE = ['strace', '-f', '-yy', '-e', 'trace=pwrite64,fsync,fdatasync,/^send,write'];

/** What became of the store's log, and of the kernel, in the order in which it was done. */
function events(trace: string): string[] {
  return trace.split('\n').flatMap((line) => {
    if (line.includes('leases.db-wal')) return / (fsync|fdatasync)\(/.test(line) ? ['flush'] : ['log'];
    if (/ send\w*\(\d+<NETLINK:\[(NETFILTER|ROUTE)/.test(line)) return ['kernel'];
    return / write\(1</.test(line) ? ['answer'] : [];
  });
}

/** Without repetitions. */
function story(trace: string): string[] {
  return events(trace).filter((event, index, all) => event !== all[index - 1]);
}

async function traced(host: Host, command: 'ADD' | 'DEL', config: unknown): Promise<string[]> {
  const file = `/run/${command}.trace`;
  const call = { config, containerId: 'c2', ifname: 'eth0', netns: '/run/netns/c2' };
  const { code, stdout } = await host.cni([...TRACE, '-o', file, BRIDGE_NAT], command, call);
  if (code !== 0) throw new Error(stdout);
  return story(readFileSync(host.path(file), 'utf8'));
}

t.test('the intent comes first, one flush last', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const network = new Network(host);
    await network.container('c1');
    await host.container('c2');
    for (const command of ['ADD', 'DEL'] as const) {
      const told = (await traced(host, command, network.config)).join(' ');
      t.match(told, /^(kernel )?log kernel log flush( kernel)*( answer)?$/, command);
    }
  });
});
