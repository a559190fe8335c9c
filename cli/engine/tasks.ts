/** The tasks of all residents: each has a tasks.ts in its room, listed here. */
import type { Tasks } from '../../lib/cni/resident.ts';
import { dhcpServerTasks } from '../../plugins/bridge-nat/dhcp-server/tasks.ts';
import { egressTasks } from '../../plugins/bridge-nat/egress/tasks.ts';
import { dhcpTasks } from '../../plugins/dhcp-ipam/tasks.ts';
import { KINDS } from '../../plugins/kinds.ts';
import { repairTasks } from '../repair/task.ts';

export const TASKS: Tasks = {
  ...dhcpTasks(async (plugin) => (await KINDS.get(plugin)?.())?.kind),
  ...dhcpServerTasks,
  ...egressTasks,
  ...repairTasks(KINDS),
};
