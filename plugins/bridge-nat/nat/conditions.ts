/**
 * portmap's `conditionsV4` and `conditionsV6`: what packets to published ports have to be like. A list whose items,
 * joined, are match expressions of nft (nft(8)) or arguments of iptables (iptables(8)); all of them have to hold. What
 * our sets can say is read: addresses of source and destination, and the incoming interface. All else is refused.
 */
import { NetmoorError, errorText } from '../../../lib/base/errors.ts';
import { bitsOf, firstAddress, lastAddress, parseAddress, parsePrefix } from '../../../lib/base/ip.ts';
import type { Address, Family } from '../../../lib/base/ip.ts';
import { interfaceNameProblem } from '../../../lib/cni/names.ts';
import { quote } from '../../../lib/cni/quote.ts';
import type { Circumstance } from '../../../lib/nftables/rules.ts';
import { clip, single, subtract } from '../../../ipam/span.ts';
import type { Span } from '../../../ipam/span.ts';

type Field = 'source' | 'destination' | 'ifname';

/** One expression, read: the field is one of the values, or none of them. */
interface Match {
  readonly field: Field;
  readonly negated: boolean;
  readonly values: readonly string[];
  /** As it was written. */
  readonly text: string;
}

const ADVICE =
  'say it by "ip saddr", "ip daddr" (ip6 of IPv6) and "iifname", or by iptables\' -s, -d and -i; or leave it out';

function refuse(key: string, problem: string): never {
  throw new NetmoorError('bad-config', `${key}: ${problem}`, ADVICE);
}

const NFT_FIELDS: Readonly<Record<string, Field>> = { saddr: 'source', daddr: 'destination' };
const OPERATORS: Readonly<Record<string, boolean>> = { '==': false, eq: false, '!=': true, ne: true };

/** Words, quoted ones without their quotation marks, and signs. */
const NFT_TOKEN = /"[^"]*"|[{},]|[!=]=|[^\s{},"!=]+|[!=]/g;

/** "ip daddr", "meta iifname" and the like at the beginning: the field, and how many words say it. */
function nftField(tokens: readonly string[], family: Family): [Field, number] | undefined {
  const [first = '', second = ''] = tokens;
  if (first === 'iifname') return ['ifname', 1];
  if (first === 'meta' && second === 'iifname') return ['ifname', 2];
  const field = first === (family === 4 ? 'ip' : 'ip6') ? NFT_FIELDS[second] : undefined;
  return field && [field, 2];
}

const unquoted = (word: string): string => (word.startsWith('"') ? word.slice(1, -1) : word);

/** A value, or a set of them in braces; and how many tokens it takes. */
function nftValues(tokens: readonly string[]): [string[], number] | undefined {
  const [first = ''] = tokens;
  if (first !== '{') return /^[{},!=]/.test(first) || first === '' ? undefined : [[unquoted(first)], 1];
  const end = tokens.indexOf('}');
  const values = tokens.slice(1, end).filter((token) => token !== ',');
  return end < 0 || values.length === 0 ? undefined : [values.map(unquoted), end + 1];
}

function nftMatches(key: string, text: string, family: Family): Match[] {
  const tokens = text.match(NFT_TOKEN) ?? [];
  const matches: Match[] = [];
  for (let at = 0; at < tokens.length; ) {
    const field = nftField(tokens.slice(at), family);
    const behind = at + (field?.[1] ?? 0);
    const operator = OPERATORS[tokens[behind] ?? ''];
    const begin = operator === undefined ? behind : behind + 1;
    const values = nftValues(tokens.slice(begin));
    if (field === undefined || values === undefined)
      return refuse(key, `${quote(tokens.slice(at).join(' '))} cannot be expressed`);
    const end = begin + values[1];
    matches.push({
      field: field[0],
      negated: operator ?? false,
      values: values[0],
      text: tokens.slice(at, end).join(' '),
    });
    at = end;
  }
  return matches;
}

const IPTABLES_FIELDS: Readonly<Record<string, Field>> = {
  '-s': 'source',
  '--src': 'source',
  '--source': 'source',
  '-d': 'destination',
  '--dst': 'destination',
  '--destination': 'destination',
  '-i': 'ifname',
  '--in-interface': 'ifname',
};

function iptablesMatches(key: string, text: string): Match[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const matches: Match[] = [];
  for (let at = 0; at < words.length; ) {
    const negated = words[at] === '!';
    const begin = negated ? at + 1 : at;
    const field = IPTABLES_FIELDS[words[begin] ?? ''];
    const value = words[begin + 1];
    if (field === undefined || value === undefined)
      return refuse(key, `${quote(words.slice(at).join(' '))} cannot be expressed`);
    // "eth+" is every interface whose name begins so.
    const values = field === 'ifname' ? [value.replace(/\+$/, '*')] : value.split(',');
    matches.push({ field, negated, values, text: words.slice(at, begin + 2).join(' ') });
    at = begin + 2;
  }
  return matches;
}

function readSpan(key: string, { text }: Match, value: string, family: Family): Span {
  const read = (): Span => {
    const [from = '', to] = value.split('-');
    if (to !== undefined) return { first: parseAddress(from), last: parseAddress(to) };
    if (!value.includes('/')) return single(parseAddress(value));
    const prefix = parsePrefix(value);
    return { first: firstAddress(prefix), last: lastAddress(prefix) };
  };
  try {
    const span = read();
    if (span.first.family === family && span.last.family === family && span.first.value <= span.last.value)
      return span;
  } catch (error) {
    return refuse(key, `${quote(text)}: ${errorText(error)}`);
  }
  return refuse(key, `${quote(text)}: ${quote(value)} is no address, or span of addresses, of IPv${family}`);
}

/** All but the last, all ones, which no packet has. */
function everyAddress(family: Family): Span {
  const at = (value: bigint): Address => ({ family, value });
  return { first: at(0n), last: at((1n << BigInt(bitsOf(family))) - 2n) };
}

/** The addresses that all matches of a field let through; undefined when there are none of it. */
function spansOf(key: string, matches: readonly Match[], field: Field, family: Family): Span[] | undefined {
  const mine = matches.filter((match) => match.field === field);
  if (mine.length === 0) return undefined;
  let left: Span[] = [everyAddress(family)];
  for (const match of mine) {
    const values = match.values.map((value) => readSpan(key, match, value, family));
    // Twice taken from everything they are disjoint, however they were written.
    const outside = subtract(everyAddress(family), values);
    const inside = match.negated ? outside : subtract(everyAddress(family), outside);
    left = left.flatMap((span) => inside.flatMap((window) => clip(span, window) ?? []));
  }
  if (left.length === 0) refuse(key, `no packet is ${mine.map(({ text }) => quote(text)).join(' and ')}`);
  return left;
}

function interfacesOf(key: string, matches: readonly Match[]): string[] | undefined {
  const [first, ...more] = matches.filter(({ field }) => field === 'ifname');
  if (first === undefined) return undefined;
  const wrong = first.negated ? first : more[0];
  if (wrong !== undefined) refuse(key, `${quote(wrong.text)} cannot be expressed`);
  for (const value of first.values) {
    const problem = interfaceNameProblem(value.replace(/\*$/, ''));
    if (problem !== undefined) refuse(key, `${quote(first.text)}: ${problem}`);
  }
  return [...new Set(first.values)];
}

/**
 * What is said by one of the two keys; undefined when nothing is. Throws NetmoorError('bad-config') naming what cannot
 * be expressed.
 */
export function readConditions(
  key: 'conditionsV4' | 'conditionsV6',
  items: readonly string[] = [],
): Circumstance[] | undefined {
  const family = key === 'conditionsV4' ? 4 : 6;
  const text = items.join(' ').trim();
  if (text === '') return undefined;
  const matches = /^[-!]/.test(text) ? iptablesMatches(key, text) : nftMatches(key, text, family);
  const either = <T>(values: readonly T[] | undefined): readonly (T | undefined)[] => values ?? [undefined];
  const sources = either(spansOf(key, matches, 'source', family));
  const destinations = either(spansOf(key, matches, 'destination', family));
  const names = either(interfacesOf(key, matches));
  return sources.flatMap((source) =>
    destinations.flatMap((destination) =>
      names.map((ifname) => ({
        ...(source && { source }),
        ...(destination && { destination }),
        ...(ifname !== undefined && { ifname }),
      })),
    ),
  );
}
