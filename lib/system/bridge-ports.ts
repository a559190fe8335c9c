/**
 * The names of a bridge's ports, from sysfs: a directory of links is read in microseconds whatever their number, where
 * a dump of all interfaces costs with each of them.
 */
import { readFileSync, readdirSync } from 'node:fs';

/**
 * Undefined where that cannot be told: sysfs shows the network namespace of who has mounted it, so the bridge there may
 * be another one, or none.
 */
export function bridgePorts(name: string, index: number): readonly string[] | undefined {
  const directory = `/sys/class/net/${name}`;
  try {
    if (Number(readFileSync(`${directory}/ifindex`, 'utf8')) !== index) return undefined;
    return readdirSync(`${directory}/brif`);
  } catch {
    return undefined;
  }
}
