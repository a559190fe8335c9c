/** netmoor check: whether every attachment is as it was promised, and the lease store in order. */
import { checkStore } from '../../ipam/store/check.ts';
import { formatKey } from '../../ipam/record.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { containerLabel } from '../attachment-view.ts';
import { chooseBy } from '../choice.ts';
import { hostOf, withSockets } from '../../lib/mooring/host.ts';
import { named, openStores, readAttachments, readable, unreadableStore } from '../stores.ts';
import { quietly } from '../surroundings.ts';
import type { Verb } from '../verb.ts';
import { verifyAll } from '../verification.ts';
import type { Verdict } from '../verification.ts';

/** schemas/cli-check.schema.json */
export interface CheckView {
  readonly ok: boolean;
  readonly attachments: readonly Verdict[];
  /** What the store contradicts itself in, or why it cannot be read. */
  readonly store: readonly string[];
}

function formatVerdict(verdict: Verdict): string[] {
  const { network, ifname, differences, notes } = verdict;
  const outcome = differences.length === 0 ? 'ok' : 'not as promised';
  const title = `${containerLabel(verdict)} ${ifname} on ${network}: ${outcome}`;
  return [title, ...differences.map((text) => `  ${text}`), ...notes.map((text) => `  (${text})`)];
}

export function formatCheck({ attachments, store, ok }: CheckView): string {
  const stored =
    store.length === 0
      ? ['lease store: ok']
      : ['lease store: not in order', ...store.map((text) => `  ${text}`)];
  const advice = ok
    ? []
    : ['"netmoor gc" clears away what is stale; containers with other differences are to be attached again'];
  return [...attachments.flatMap(formatVerdict), ...stored, ...advice].map((line) => `${line}\n`).join('');
}

export const verb: Verb = {
  about:
    'Compares every attachment, or those of one container or network, with what was promised: leases, bridge, ' +
    'interfaces, addresses, routes, NAT and published ports, ' +
    'on the host and inside the container; and the lease store with itself. Exit code 1 when something differs.',
  operand: '[CONTAINER|NETWORK]',
  options: [],
  async run({ world, dataDir, operands, kinds, note }) {
    const unread: string[] = [];
    const stores = readable(openStores(world, dataDir, note), (dir, error) => {
      if (dataDir !== undefined) throw error;
      unread.push(unreadableStore(dir, error));
    });
    const chosen = new Set(
      chooseBy(readAttachments(stores, named({ dataDir, note })), operands[0]).map(formatKey),
    );
    const isChosen = (record: AttachmentRecord): boolean => chosen.has(formatKey(record));
    const surroundings = quietly(() => {});
    const attachments = await withSockets(async (sockets) => {
      const verdicts: Verdict[] = [];
      for (const named of stores) {
        const records = named.store.read((tx) => tx.attachments()).filter(isChosen);
        verdicts.push(
          ...(await verifyAll(world, hostOf(sockets, named, world, surroundings), records, kinds)),
        );
      }
      return verdicts;
    });
    const store = [...unread, ...stores.flatMap(({ store: each }) => each.read(checkStore))];
    const ok = store.length === 0 && attachments.every(({ differences }) => differences.length === 0);
    const view: CheckView = { ok, attachments, store };
    return { json: view, text: () => formatCheck(view), failed: !ok };
  },
};
