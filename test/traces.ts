/**
 * What tests may have left on the machine that they ran on: each works in namespaces of its own, and the README
 * promises that nothing of the machine's is touched.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync } from 'node:fs';

/** Where our programs and those of others that tests run keep what outlasts them. */
const KEPT = [
  '/etc/cni/**',
  '/opt/cni/**',
  '/run/netmoor*',
  '/run/netmoor/**',
  '/run/netns/*',
  '/var/lib/cni/**',
  '/var/log/netmoor*',
];

/** `nft list tables`, a line each; none without nft, or where only others may look. */
function tables(): string[] {
  const { stdout, status } = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n').filter(Boolean) : [];
}

/** Files, interfaces and tables of nftables that there are. */
function traces(): string[] {
  const interfaces = existsSync('/sys/class/net') ? readdirSync('/sys/class/net') : [];
  return [...globSync(KEPT), ...interfaces.map((name) => `interface ${name}`), ...tables()];
}

/** Returns what tells which of them came since then. */
export function watchTraces(): () => readonly string[] {
  const before = new Set(traces());
  return () => traces().filter((trace) => !before.has(trace));
}
