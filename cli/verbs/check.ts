/** netmoor check: whether every attachment is as it was promised, and the lease store in order. */
import { checkStore } from '../../ipam/store/check.ts';
import { containerLabel } from '../attachment-view.ts';
import { hostOf, withSockets } from '../../lib/mooring/host.ts';
import { openStores, readable, unreadableStore } from '../stores.ts';
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
  const title = `${containerLabel(verdict)} ${ifname} on ${network}: ${differences.length === 0 ? 'ok' : 'not as promised'}`;
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
    'Compares every attachment with what was promised: leases, bridge, interfaces, addresses, routes, NAT and published ports, ' +
    'on the host and inside the container; and the lease store with itself. Exit code 1 when something differs.',
  options: [],
  async run({ world, dataDir, kinds }) {
    const unread: string[] = [];
    const stores = readable(openStores(world, dataDir), (dir, error) => {
      if (dataDir !== undefined) throw error;
      unread.push(unreadableStore(dir, error));
    });
    const attachments = await withSockets(async (sockets) => {
      const verdicts: Verdict[] = [];
      for (const named of stores)
        verdicts.push(
          ...(await verifyAll(
            world,
            hostOf(
              sockets,
              named,
              world,
              quietly(() => {}),
            ),
            kinds,
          )),
        );
      return verdicts;
    });
    const store = [...unread, ...stores.flatMap(({ store: each }) => each.read(checkStore))];
    const ok = store.length === 0 && attachments.every(({ differences }) => differences.length === 0);
    const view: CheckView = { ok, attachments, store };
    return { json: view, text: () => formatCheck(view), failed: !ok };
  },
};
