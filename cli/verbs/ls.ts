/** netmoor ls: which containers are plugged in where. */
import { containerLabel, formatAge, formatPorts } from '../attachment-view.ts';
import type { AttachmentView } from '../attachment-view.ts';
import { chooseBy } from '../choice.ts';
import { listAttachments } from '../liveness.ts';
import { named, openStores } from '../stores.ts';
import { formatTable } from '../table.ts';
import type { Verb } from '../verb.ts';

const HEADINGS = ['CONTAINER', 'NETWORK', 'INTERFACE', 'ADDRESSES', 'PORTS', 'STATE', 'AGE'] as const;

export function formatAttachments(attachments: readonly AttachmentView[], now: number): string {
  const rows = attachments.map((attachment) => [
    containerLabel(attachment),
    attachment.network,
    attachment.ifname,
    attachment.addresses.map(({ address }) => address),
    formatPorts(attachment),
    attachment.stale === undefined ? attachment.state : `stale: ${attachment.stale}`,
    formatAge(now - Date.parse(attachment.createdAt)),
  ]);
  return formatTable(HEADINGS, rows);
}

export const verb: Verb = {
  about:
    'Lists the attachments of containers to networks, or those of one. ' +
    'Those that cannot be in use any more are marked stale, with the reason.',
  operand: '[CONTAINER|NETWORK]',
  options: [],
  async run({ world, dataDir, operands, kinds, note }) {
    const stores = openStores(world, dataDir, note);
    const listed = await listAttachments(world, stores, kinds, named({ dataDir, note }));
    const attachments = chooseBy(listed, operands[0]);
    return { json: attachments, text: () => formatAttachments(attachments, world.now()) };
  },
};
