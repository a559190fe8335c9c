/** The tasks of all residents: each has a tasks.ts in its room, listed here. */
import type { Tasks } from '../../lib/cni/resident.ts';
import { dhcpServerTasks } from '../../plugins/bridge-nat/dhcp-server/tasks.ts';
import { TASKS as DHCP_TASKS } from '../../plugins/dhcp-ipam/tasks.ts';

export const TASKS: Tasks = { ...DHCP_TASKS, ...dhcpServerTasks };
