/** What the resident part has done in threads of the engine, where it may wait (lib/cni/resident.ts). */
import type { Json, Tasks } from '../../lib/cni/resident.ts';
import { keep, recall } from './tasks/books.ts';
import type { Entries } from './tasks/books.ts';
import { enter, whoIsGone } from './tasks/enter.ts';
import type { Whereabouts } from './tasks/enter.ts';
import { follow } from './tasks/follow.ts';
import type { Change, KindOf } from './tasks/follow.ts';
import { heldByOthers } from './tasks/others.ts';
import type { Question } from './tasks/others.ts';
import { segmentMembers } from './tasks/segments.ts';
import { whence } from './tasks/whence.ts';
import type { AttachmentKey } from '../../ipam/record.ts';

/** What the main loop hands over is what it has made itself, of these types. */
function given<T>(argument: Json): T {
  return argument as unknown as T;
}

function answer(value: object | null): Json {
  return value as unknown as Json;
}

/** `kindOf`: the main plugins, of whom this room knows nothing. */
export const dhcpTasks = (kindOf: KindOf): Tasks => ({
  'dhcp-ipam enter': (argument, world) => answer(enter(world, given<Whereabouts>(argument))),
  'dhcp-ipam gone': (argument, world) => answer(whoIsGone(world, given<Whereabouts[]>(argument))),
  'dhcp-ipam keep': (argument, world) => answer(keep(world, given<Entries>(argument))),
  'dhcp-ipam recall': (_argument, world) => answer(recall(world)),
  'dhcp-ipam follow': async (argument, world) => {
    await follow(world, given<Change>(argument), kindOf);
    return undefined;
  },
  'dhcp-ipam others': async (argument, world) =>
    answer(await heldByOthers(world, given<Question>(argument), kindOf)),
  'dhcp-ipam segments': (argument) => answer(segmentMembers(given<string[]>(argument))),
  'dhcp-ipam whence': (argument, world) => {
    const { key, told } = given<{ key: AttachmentKey; told?: string }>(argument);
    return answer(whence(world, key, told));
  },
});
