/**
 * What tests may have left on the machine that they ran on: each works in namespaces of its own, and the README
 * promises that nothing of the machine's is touched.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync } from 'node:fs';

/** What bears netmoor's name where it keeps files; what else comes meanwhile is of others who live on the machine. */
const KEPT = [
  '/etc/cni/net.d/*netmoor*',
  '/opt/cni/bin/{netmoor,bridge-nat,macvlan-v6,dhcp-ipam}',
  '/run/netmoor*',
  '/run/netmoor/**',
  '/usr/local/{bin,lib}/netmoor*',
  '/var/lib/cni/netmoor/**',
  '/var/log/netmoor*',
];

/** `nft list tables`, a line each; none without nft, or where only others may look. */
function tables(): string[] {
  const { stdout, status } = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n').filter((line) => line.includes('netmoor')) : [];
}

/** Files, interfaces and tables of nftables that there are. */
function traces(): string[] {
  const interfaces = existsSync('/sys/class/net') ? readdirSync('/sys/class/net') : [];
  const ours = interfaces.filter((name) => name.startsWith('nm'));
  return [...globSync(KEPT), ...ours.map((name) => `interface ${name}`), ...tables()];
}

/** Returns what tells which of them came since then. */
export function watchTraces(): () => readonly string[] {
  const before = new Set(traces());
  return () => traces().filter((trace) => !before.has(trace));
}
