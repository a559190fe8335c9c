/**
 * Whether the rules of a table are, byte for byte, those of the skeleton: what CHECK asks. Adding asks less (intact.ts), since
 * this takes some milliseconds.
 */
import { TABLE } from './layout.ts';
import { messageType } from './message.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { getRequest } from './query.ts';
import { skeleton } from './skeleton.ts';

const NFGENMSG_LENGTH = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

function aligned(length: number): number {
  return (length + 3) & ~3;
}

/**
 * Whether every attribute between `at` and `end` of what was asked for is among what the kernel says (linux/netlink.h struct
 * nlattr), those of one type in the same order and number. The kernel adds attributes of its own, each in an order of its own,
 * and marks no nests.
 */
function isAmong(asked: Buffer, at: number, end: number, said: Buffer, from: number, to: number): boolean {
  const seen = new Map<number, number>();
  for (let mine = at; mine < end; mine += aligned(asked.readUInt16LE(mine))) {
    const length = asked.readUInt16LE(mine);
    const full = asked.readUInt16LE(mine + 2);
    const type = full & NLA_TYPE_MASK;
    let theirs = seen.get(type) ?? from;
    while (theirs < to && (said.readUInt16LE(theirs + 2) & NLA_TYPE_MASK) !== type)
      theirs += aligned(said.readUInt16LE(theirs));
    if (theirs >= to) return false;
    const theirEnd = theirs + said.readUInt16LE(theirs);
    const same =
      (full & NLA_F_NESTED) === 0
        ? asked.compare(said, theirs + 4, theirEnd, mine + 4, mine + length) === 0
        : isAmong(asked, mine + 4, mine + length, said, theirs + 4, theirEnd);
    if (!same) return false;
    seen.set(type, theirs + aligned(theirEnd - theirs));
  }
  return [...seen].every(([type, next]) => {
    let theirs = next;
    while (theirs < to && (said.readUInt16LE(theirs + 2) & NLA_TYPE_MASK) !== type)
      theirs += aligned(said.readUInt16LE(theirs));
    return theirs >= to;
  });
}

/** Whether the table's rules are those of the skeleton, all of them and no others, in their order. */
export function hasExactRules(nf: NetlinkSocket, family: number): boolean {
  const asked = skeleton(family).filter(({ name }) => name === 'NEWRULE');
  const rule = messageType('NEWRULE');
  const said = nf
    .dump(getRequest('RULE', family, { table: TABLE }, 'read nftables rules'))
    .filter(({ type }) => type === rule);
  return (
    asked.length === said.length &&
    asked.every(({ encoded }, index) => {
      const mine = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length);
      const theirs = said[index]?.data ?? Buffer.alloc(0);
      return isAmong(mine, NFGENMSG_LENGTH, mine.length, theirs, NFGENMSG_LENGTH, theirs.length);
    })
  );
}
