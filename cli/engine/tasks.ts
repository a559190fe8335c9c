/** The tasks of all residents: each has a tasks.ts in its room, listed here. */
import type { Tasks } from '../../lib/cni/resident.ts';

export const TASKS: Tasks = {};
