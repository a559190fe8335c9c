/** The host as the tool works on it: with nothing of a runtime's request behind it. */
import { NO_RUNTIME_CONFIG } from '../lib/cni/runtime-config.ts';
import type { Context } from '../lib/cni/plugin.ts';
import type { World } from '../lib/cni/world.ts';
import { NetlinkSocket } from '../lib/netlink/socket.ts';
import { processIdentity } from '../lib/system/process.ts';
import { releaseDelegated } from '../plugins/bridge-nat/delegated.ts';
import type { Host } from '../plugins/bridge-nat/detach.ts';
import { rulesElsewhere } from '../plugins/bridge-nat/elsewhere.ts';
import type { AttachmentRecord } from '../ipam/record.ts';
import type { LeaseStore } from '../ipam/store/store.ts';

/** Where programs are on a host; a delegate may want some. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A request in nobody's name: what a delegate needs to know stands in the record. */
function contextOf(world: World, { network }: AttachmentRecord, note: (line: string) => void): Context {
  return {
    request: {
      command: 'DEL',
      containerId: '',
      netns: '',
      ifname: '',
      args: new Map(),
      path: [],
      netnsOverride: false,
      stdin: Buffer.alloc(0),
      environment: { PATH },
    },
    config: {
      cniVersion: '1.1.0',
      name: network,
      type: '',
      dns: {},
      args: {},
      runtimeConfig: NO_RUNTIME_CONFIG,
      validAttachments: [],
      raw: {},
    },
    world,
    note,
  };
}

export type Sockets = Pick<Host, 'route' | 'netfilter'>;

/** Runs `work` with sockets of this host's namespace. */
export function withSockets<T>(work: (sockets: Sockets) => T): T {
  const route = NetlinkSocket.open('route');
  const netfilter = NetlinkSocket.open('netfilter');
  try {
    return work({ route, netfilter });
  } finally {
    route.close();
    netfilter.close();
  }
}

export function hostWith(
  world: World,
  sockets: Sockets,
  { store, dir }: { readonly store: LeaseStore; readonly dir: string },
  note: (line: string) => void,
): Host {
  return {
    ...sockets,
    store,
    worker: processIdentity(world.pid),
    step: world.step,
    elsewhere: () => rulesElsewhere(world, dir),
    releaseDelegated: (record) => releaseDelegated(contextOf(world, record, note), record),
  };
}
