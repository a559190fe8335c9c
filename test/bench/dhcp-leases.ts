/**
 * `npm run bench -- dhcp --leases 2000`: what the engine costs that keeps so many leases, memory and processor. The
 * leases are real, of dnsmasq, each in a namespace of its own; a bridge of the kernel has room for 1,023 of them.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { callOf, drive, failures, hostPid, startEngine } from '../kernel/engine-bed.ts';
import { openHost, until } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { table } from './figures.ts';

const ON_A_BRIDGE = 1000;
const AT_ONCE = 100;
/** Seconds; dnsmasq has no shorter leases than two minutes, and T1 is half of them. */
const LEASE_S = 240;
const RENEWED_AFTER_MS = (LEASE_S / 2) * 1000;
/** What goals are for: leases of an hour, renewed after half of it. */
const USUAL_RENEWAL_S = 1800;
const CLOCK_TICKS = 100;
const LOOK_MS = 1000;

function router(number: number): string {
  const net = `10.${70 + number}`;
  return `
    ip netns add router${number}
    ip link add lan${number} type bridge
    ip link add port${number} type veth peer name eth0 netns router${number}
    ip link set port${number} master lan${number} up
    ip link set lan${number} up
    ip -n router${number} address add ${net}.0.1/16 dev eth0
    ip -n router${number} link set eth0 up
    ip netns exec router${number} dnsmasq --conf-file=/dev/null --port=0 --interface=eth0 --bind-dynamic --user=root \\
      --no-ping --dhcp-authoritative --dhcp-range=${net}.1.1,${net}.200.254,255.255.0.0,${LEASE_S} \\
      --dhcp-lease-max=20000 --dhcp-leasefile=/run/leases${number} --pid-file=/run/dnsmasq${number}.pid \\
      --log-facility=/run/dnsmasq${number}.log`;
}

/** Containers first..last, each plugged into the bridge of its thousand. */
function containers(first: number, last: number): string {
  return `
    for i in $(seq ${first} ${last}); do
      ip netns add n$i
      ip link add v$i type veth peer name eth0 netns n$i
      ip link set v$i master lan$((i / ${ON_A_BRIDGE})) up
    done`;
}

async function attach(host: Host, numbers: readonly number[]): Promise<void> {
  const calls = numbers.map((number) => {
    const ipam = { type: 'dhcp-ipam', timeout: 60 };
    const bridge = `lan${Math.floor(number / ON_A_BRIDGE)}`;
    const config = { cniVersion: '1.0.0', name: 'lan', type: 'bridge', bridge, ipam };
    return { ...callOf('ADD', `n${number}`, config), program: 'dhcp-ipam' };
  });
  const driven = await drive(host, calls);
  const [failure] = failures(driven);
  if (failure !== undefined) throw new Error(failure);
  // What the main plugin would do, so that renewals can come from the address.
  const lines = driven.answers.map((answer, index) => {
    const { ips } = JSON.parse(answer !== null && 'stdout' in answer ? answer.stdout : '{}');
    return `ip -n n${numbers[index]} address add ${ips[0].address} dev eth0`;
  });
  await host.shell(lines.join('\n'), { deadlineMs: 60_000 });
}

interface Sample {
  readonly at: number;
  readonly ticks: number;
  readonly rss: number;
  readonly anonymous: number;
  readonly acknowledged: number;
}

async function sample(host: Host, pid: number): Promise<Sample> {
  const text = await host.shell(`
    awk '{ print $14 + $15 }' /proc/${pid}/stat
    awk '/^VmRSS|^RssAnon/ { print $2 }' /proc/${pid}/status
    cat /run/dnsmasq*.log | grep -c DHCPACK`);
  const [ticks = 0, rss = 0, anonymous = 0, acknowledged = 0] = text.trim().split(/\s+/).map(Number);
  return { at: performance.now(), ticks, rss, anonymous, acknowledged };
}

/** Percent of one processor. */
function share(from: Sample, to: Sample): number {
  return (((to.ticks - from.ticks) / CLOCK_TICKS) * 100_000) / (to.at - from.at);
}

/** Until every lease has been prolonged once. */
async function renewals(host: Host, pid: number, count: number): Promise<readonly [Sample, Sample]> {
  const before = await sample(host, pid);
  const done = async (): Promise<Sample | undefined> => {
    // Looking costs as well.
    await pause(LOOK_MS);
    const now = await sample(host, pid);
    return now.acknowledged - before.acknowledged >= count ? now : undefined;
  };
  return [before, await until(done, 'renewals', RENEWED_AFTER_MS * 2)];
}

/** The table; takes some minutes. */
export async function measureLeases(count: number): Promise<string> {
  const host = await openHost();
  try {
    await startEngine(host);
    const pid = await hostPid(host);
    for (let bridge = 0; bridge <= count / ON_A_BRIDGE; bridge++) await host.shell(router(bridge));
    const began = performance.now();
    for (let first = 1; first <= count; first += AT_ONCE) {
      const last = Math.min(count, first + AT_ONCE - 1);
      await host.shell(containers(first, last), { deadlineMs: 120_000 });
      const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
      await attach(host, numbers);
    }
    const made = (performance.now() - began) / 1000;
    const [before, after] = await renewals(host, pid, count);
    const each =
      ((after.ticks - before.ticks) / CLOCK_TICKS / (after.acknowledged - before.acknowledged)) * 1000;
    return table([
      [`${count} leases`, ''],
      ['made in, namespaces included', `${made.toFixed(0)} s`],
      ['memory (VmRSS)', `${(after.rss / 1024).toFixed(0)} MiB`],
      ['of which its own (RssAnon)', `${(after.anonymous / 1024).toFixed(0)} MiB`],
      [
        `while all are renewed within ${((after.at - before.at) / 1000).toFixed(0)} s`,
        `${share(before, after).toFixed(1)} % of a core`,
      ],
      ['for each renewal', `${each.toFixed(2)} ms`],
      ['so with leases of an hour', `${((each * count) / USUAL_RENEWAL_S / 10).toFixed(2)} % of a core`],
    ]);
  } finally {
    await host.close();
  }
}
