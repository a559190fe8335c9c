/**
 * Noticing that the way to the servers was interrupted: a container behind a bridge sees nothing of it. Of each segment
 * (a bridge with its ports, or the master of a macvlan) it is remembered what has carried before; when such a link
 * carries again after a break, the network behind it may be another one. Ports that are new, as those of containers
 * that begin, are no such link. Pure.
 */
import type { Member, SegmentMembers } from '../tasks/segments.ts';

/** By ifindex: whether it carried when last seen, of those that once did. */
type Memory = ReadonlyMap<number, boolean>;

export interface Sight {
  /** Segments that were interrupted, and are there again. */
  readonly back: readonly string[];
  /** A link has left a segment: perhaps a container ended. */
  readonly left: boolean;
}

function remember(before: Memory, members: readonly Member[]): Memory {
  const now = new Map(members.map(({ index, carries }) => [index, carries]));
  const known = [...before.keys()].map((index): [number, boolean] => [index, now.get(index) ?? false]);
  return new Map([...known, ...[...now].filter(([, carries]) => carries)]);
}

export class Segments {
  #memories = new Map<string, Memory>();
  #present = new Map<string, ReadonlySet<number>>();

  /**
   * `members`: of the segments that matter now; what is not among `names` is forgotten. `broken`: ifindex of links that
   * did not carry at some time since the last look.
   */
  see(names: readonly string[], members: SegmentMembers, broken: ReadonlySet<number> = new Set()): Sight {
    const back: string[] = [];
    let left = false;
    const memories = new Map<string, Memory>();
    const present = new Map<string, ReadonlySet<number>>();
    for (const name of names) {
      const before = this.#memories.get(name) ?? new Map<number, boolean>();
      const now = members[name] ?? [];
      const indexes = new Set(now.map(({ index }) => index));
      const wasBroken = (index: number): boolean =>
        before.get(index) === false || (before.get(index) === true && broken.has(index));
      if (now.some(({ index, carries }) => carries && wasBroken(index))) back.push(name);
      left ||= [...(this.#present.get(name) ?? [])].some((index) => !indexes.has(index));
      memories.set(name, remember(before, now));
      present.set(name, indexes);
    }
    this.#memories = memories;
    this.#present = present;
    return { back, left };
  }
}
