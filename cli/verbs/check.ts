/** netmoor check: whether every attachment is as it was promised, and the lease store in order. */
import { checkStore } from '../../ipam/store/check.ts';
import { formatKey, sameKey } from '../../ipam/record.ts';
import type { AttachmentKey, AttachmentRecord } from '../../ipam/record.ts';
import type { DhcpLeaseRecord } from '../../ipam/dhcp/record.ts';
import type { World } from '../../lib/cni/world.ts';
import { engineRuns } from '../../lib/engine/running.ts';
import { containerLabel } from '../attachment-view.ts';
import { chooseBy } from '../choice.ts';
import { dhcpClients, verifyDhcp } from '../dhcp-check.ts';
import { clocksOf } from '../dhcp-view.ts';
import { hostOf, withSockets } from '../../lib/mooring/host.ts';
import { named, openStores, readAttachments, readDhcpLeases, readable, unreadableStore } from '../stores.ts';
import { PROBE_OPTIONS, formatProbe, probedAlone, probes } from '../probe/view.ts';
import type { ProbeView } from '../probe/view.ts';
import { quietly } from '../surroundings.ts';
import { repairAll } from '../repair/repair.ts';
import { formatRepaired, repairedOf } from '../repair/view.ts';
import type { Repaired } from '../repair/view.ts';
import { unpublishedPorts } from '../unpublished.ts';
import type { Verb, VerbContext } from '../verb.ts';
import { WAIT_FOR_WAY_OUT, verifyAll, waitsForWayOut } from '../verification.ts';
import type { Verdict } from '../verification.ts';

/** schemas/cli-check.schema.json */
export interface CheckView {
  readonly ok: boolean;
  readonly attachments: readonly Verdict[];
  /** What the store contradicts itself in, or why it cannot be read. */
  readonly store: readonly string[];
  /** Where traffic leaves the host, of the networks that were tried. */
  readonly probes?: readonly ProbeView[];
  /** With --repair: what was put right before it was looked at. */
  readonly repaired?: readonly Repaired[];
}

function formatVerdict(verdict: Verdict): string[] {
  const { network, ifname, differences, notes } = verdict;
  const outcome = differences.length === 0 ? 'ok' : 'not as promised';
  const title = `${containerLabel(verdict)} ${ifname} on ${network}: ${outcome}`;
  return [title, ...differences.map((text) => `  ${text}`), ...notes.map((text) => `  (${text})`)];
}

export function formatCheck({
  attachments,
  store,
  ok,
  repaired = [],
  probes: tried = [],
}: CheckView): string {
  const stored =
    store.length === 0
      ? ['lease store: ok']
      : ['lease store: not in order', ...store.map((text) => `  ${text}`)];
  const amiss = attachments.filter(({ differences }) => differences.length > 0);
  const isElsewhere = store.length > 0 || tried.some(({ complaints }) => complaints.length > 0);
  const isAwaited = amiss.length > 0 && amiss.every(waitsForWayOut) && !isElsewhere;
  const general =
    '"netmoor repair" puts the host\'s side right, "netmoor gc" clears away what is stale; what is left is to be attached again';
  const advice = ok ? [] : [isAwaited ? WAIT_FOR_WAY_OUT : general];
  return [
    ...formatRepaired(repaired),
    ...attachments.flatMap(formatVerdict),
    ...tried.flatMap(formatProbe),
    ...stored,
    ...advice,
  ]
    .map((line) => `${line}\n`)
    .join('');
}

type Trouble = ReturnType<typeof verifyDhcp>;

/** The engine is looked for only where there is something for it to do. */
function dhcpTrouble(
  world: World,
  records: readonly AttachmentRecord[],
  leases: readonly DhcpLeaseRecord[],
): Trouble {
  const clients = dhcpClients(world, records);
  if (clients.length === 0 && leases.length === 0) return new Map();
  return verifyDhcp(clients, leases, clocksOf(world), engineRuns());
}

function isAmong(records: readonly AttachmentRecord[], key: AttachmentKey): boolean {
  return records.some((record) => sameKey(record, key));
}

function verdictOn({ network, containerId, ifname }: AttachmentKey): Verdict {
  return { network, containerId, ifname, differences: [], notes: [] };
}

function withPorts(verdict: Verdict, records: readonly AttachmentRecord[], world: World): Verdict {
  const lost = unpublishedPorts(verdict, records, world);
  return lost === undefined ? verdict : { ...verdict, differences: [...verdict.differences, lost] };
}

function withDhcp(verdict: Verdict, trouble: Trouble): Verdict {
  const found = trouble.get(formatKey(verdict));
  if (found === undefined) return verdict;
  return { ...verdict, differences: [...verdict.differences, ...found.differences] };
}

async function withProbes(context: VerbContext, view: CheckView): Promise<CheckView> {
  const tried = await probes(context);
  if (tried.length === 0) return view;
  return { ...view, probes: tried, ok: view.ok && tried.every(({ complaints }) => complaints.length === 0) };
}

export interface Examination {
  readonly view: CheckView;
  /** What failed while it was put right. */
  readonly failures: readonly string[];
}

/**
 * Compares what is chosen with what was promised; `mend`: after having put right what can be. Without `configured`
 * neither the leases of DHCP are looked at, nor what runtimes asked for in vain.
 */
export async function examine(
  context: VerbContext,
  { mend, configured = true }: { readonly mend: boolean; readonly configured?: boolean },
): Promise<Examination> {
  const { world, dataDir, operands, kinds, note } = context;
  const unread: string[] = [];
  const stores = readable(openStores(world, dataDir, note), (dir, error) => {
    if (dataDir !== undefined) throw error;
    unread.push(unreadableStore(dir, error));
  });
  const unreadable = named({ dataDir, note });
  const all = readAttachments(stores, unreadable);
  const dhcp: Trouble = configured ? dhcpTrouble(world, all, readDhcpLeases(stores, unreadable)) : new Map();
  // What plugins of others attached is on no record but that of its lease.
  const others = [...dhcp.values()].map(({ client }) => client).filter((key) => !isAmong(all, key));
  const meant = probedAlone(context, all) ? [] : chooseBy([...all, ...others], operands[0]);
  const chosen = new Set(meant.map(formatKey));
  const isChosen = (record: AttachmentRecord): boolean => chosen.has(formatKey(record));
  const surroundings = quietly(() => {});
  const { verdicts, outcome } = await withSockets(async (sockets) => {
    const task = { world, sockets, kinds, extent: 'all', isChosen, note } as const;
    const repairs = mend ? await repairAll(task, stores) : undefined;
    const found: Verdict[] = [];
    for (const named of stores) {
      const records = named.store.read((tx) => tx.attachments()).filter(isChosen);
      found.push(...(await verifyAll(world, hostOf(sockets, named, world, surroundings), records, kinds)));
    }
    return { verdicts: found, outcome: repairs };
  });
  const among = others.filter((key) => chosen.has(formatKey(key))).map(verdictOn);
  const attachments = [...verdicts, ...among]
    .map((verdict) => withDhcp(verdict, dhcp))
    .map((verdict) => (configured ? withPorts(verdict, all, world) : verdict));
  const store = [...unread, ...stores.flatMap(({ store: each }) => each.read(checkStore))];
  const ok = store.length === 0 && attachments.every(({ differences }) => differences.length === 0);
  const repaired = outcome ? { repaired: repairedOf(outcome.repairs) } : {};
  return { view: { ok, attachments, store, ...repaired }, failures: outcome?.failures ?? [] };
}

export const verb: Verb = {
  about:
    'Compares every attachment, or those of one container or network, with what was promised: leases, bridge, ' +
    'interfaces, addresses, routes, NAT and published ports, ' +
    'on the host and inside the container; DHCP leases with the clock, and whether an engine prolongs them; and the ' +
    'lease store with itself; and where the traffic of networks with "egress" leaves the host. Exit code 1 when something differs.',
  operand: '[CONTAINER|NETWORK]',
  options: [
    { name: 'repair', about: 'first put right what can be, as "netmoor repair" does' },
    ...PROBE_OPTIONS,
  ],
  async run(context) {
    const { view: examined, failures } = await examine(context, { mend: context.switches.has('repair') });
    const view = await withProbes(context, examined);
    return { json: view, text: () => formatCheck(view), failed: !view.ok, notes: failures };
  },
};
