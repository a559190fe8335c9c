/** What looking after ways out has to wait for, as a task of the engine's threads. */
import type { Json, Tasks } from '../../../lib/cni/resident.ts';
import { restoreAll } from './restore.ts';

export const RESTORE = 'egress/restore';

export const egressTasks: Tasks = {
  [RESTORE]: async (_nothing, world) => (await restoreAll(world)) as unknown as Json,
};
