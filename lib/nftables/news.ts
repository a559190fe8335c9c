/**
 * What the kernel tells of changes of the ruleset (nf_tables notifications, linux/netfilter/nfnetlink.h
 * NFNLGRP_NFTABLES), read as far as it takes to know whether somebody else may have taken away what netmoor has made.
 */
import { openNews } from '../netlink/news.ts';
import { isOwnChange } from '../netlink/socket.ts';
import { NETLINK_NETFILTER } from '../netlink/uapi.ts';
import { TABLE } from './layout.ts';
import { NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, messageName } from './message.ts';
import type { MessageName } from './message.ts';

const NFNLGRP_NFTABLES = 7;
const HEADER = 16;
const NFGENMSG = 4;
const ATTRIBUTE = 4;
const TYPE_MASK = 0x3fff;
/** NFTA_TABLE_NAME, and the name of the table of chains, rules, sets and elements: the first attribute of each. */
const NFTA_TABLE = 1;
const NFTA_GEN_PROC_NAME = 3;

/** Netmoor's own tables were changed; or chains that what is forwarded may pass by. */
export type Concern = 'tables' | 'ways';

export interface News {
  /** Undefined: nothing of netmoor's is concerned. The graver one where both are. */
  readonly concern: Concern | undefined;
  /** The command that made the change, where the datagram says so. */
  readonly by?: string;
}

const ROUTED: readonly number[] = [NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6];
/** By which a chain comes to refuse what it let through, or loses what lets it through. */
const WAYS: readonly MessageName[] = ['NEWTABLE', 'NEWCHAIN', 'NEWRULE', 'DELRULE'];

/** A socket in the calling thread's namespace that can be read whenever the ruleset was changed. Throws SystemError. */
export function openRulesetNews(): number {
  return openNews(NFNLGRP_NFTABLES, NETLINK_NETFILTER);
}

/** The text of the attribute of this type, the first of several. */
function textOf(body: Buffer, wanted: number): string | undefined {
  for (let at = NFGENMSG; at + ATTRIBUTE <= body.length; ) {
    const length = body.readUInt16LE(at);
    if (length < ATTRIBUTE || at + length > body.length) return undefined;
    if ((body.readUInt16LE(at + 2) & TYPE_MASK) === wanted)
      return body.toString('utf8', at + ATTRIBUTE, at + length).replace(/\0.*$/s, '');
    at += (length + 3) & ~3;
  }
  return undefined;
}

function concernOf(name: MessageName | undefined, body: Buffer): Concern | undefined {
  // Elements that are added take nothing away.
  if (name === undefined || name === 'NEWSETELEM' || name === 'NEWGEN' || body.length < NFGENMSG)
    return undefined;
  if (textOf(body, NFTA_TABLE) === TABLE) return 'tables';
  return WAYS.includes(name) && ROUTED.includes(body.readUInt8(0)) ? 'ways' : undefined;
}

/** What a datagram of openRulesetNews() tells. What cannot be read may be anything. */
export function readNews(datagram: Buffer): News {
  let concern: Concern | undefined;
  let by: string | undefined;
  for (let at = 0; at < datagram.length; ) {
    const length = at + HEADER <= datagram.length ? datagram.readUInt32LE(at) : 0;
    if (length < HEADER || at + length > datagram.length) return { concern: 'tables' };
    const name = messageName(datagram.readUInt16LE(at + 4));
    if (!isOwnChange(datagram.readUInt32LE(at + 8))) {
      const body = datagram.subarray(at + HEADER, at + length);
      const found = concernOf(name, body);
      if (concern !== 'tables') concern = found ?? concern;
      if (name === 'NEWGEN') by = textOf(body, NFTA_GEN_PROC_NAME);
    }
    at += (length + 3) & ~3;
  }
  return { concern, ...(by === undefined || by === '' ? {} : { by }) };
}
