/** Which attachments a word on the command line means. */
import { NetmoorError } from '../lib/base/errors.ts';
import { nearest } from '../lib/base/suggest.ts';
import type { AttachmentRecord } from '../ipam/record.ts';
import { containerLabel } from './attachment-view.ts';
import { isMeant } from './drawing/topology.ts';

type Named = Pick<AttachmentRecord, 'network' | 'containerId' | 'name'>;

/**
 * Those of the container with that name or id (the beginning of it will do), else those of the network of that name;
 * all of them without a word. Throws NetmoorError('unknown-container') when it means none.
 */
export function chooseBy<T extends Named>(attachments: readonly T[], word: string | undefined): readonly T[] {
  if (word === undefined) return attachments;
  const ways = [
    attachments.filter(({ containerId, name }) => containerId === word || name === word),
    attachments.filter(({ network }) => network === word),
    attachments.filter((attachment) => isMeant(attachment, word)),
  ];
  const found = ways.find((way) => way.length > 0);
  if (found !== undefined) return found;
  const known = attachments.flatMap((each) => [containerLabel(each), each.containerId, each.network]);
  const near = nearest(word, known);
  throw new NetmoorError(
    'unknown-container',
    `nothing is attached of the name or id ${word}`,
    near === undefined ? '"netmoor ls" lists what is attached' : `did you mean ${near}?`,
  );
}
