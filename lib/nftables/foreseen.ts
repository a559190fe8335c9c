/** What adding an attachment would be refused for, without adding it. */
import type { NetlinkSocket } from '../netlink/socket.ts';
import { bridgeElements } from './bridge-elements.ts';
import { ownConflicts } from './conflicts.ts';
import type { Lives } from './conflicts.ts';
import { refuseCrossing } from './contended.ts';
import { attachmentElements } from './elements.ts';
import { TABLE, setPlan } from './layout.ts';
import { refuseOwned } from './owned.ts';
import { distinct } from './present.ts';
import { familiesOf } from './rebuild.ts';
import type { AttachmentRules } from './rules.ts';
import { tableStates } from './tables.ts';

/**
 * Throws what addAttachment() would throw because of what others have: 'port-taken', 'address-taken', 'name-taken'.
 * Changes nothing.
 */
export function foreseeAttachment(nf: NetlinkSocket, a: AttachmentRules, lives: Lives): void {
  const own = distinct(attachmentElements(a));
  const families = familiesOf([...own, ...bridgeElements(a.rules)]);
  const states = tableStates(nf, families);
  for (const family of states.keys()) refuseOwned(nf, { name: 'NEWTABLE', family, body: { name: TABLE } });
  const readable = own.filter(({ set }) => states.get(setPlan(set).family)?.current === true);
  refuseCrossing(nf, readable);
  ownConflicts(nf, readable, undefined, lives);
}
