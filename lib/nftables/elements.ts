/** From what is asked for an attachment to the elements that stand for it; a pure function. */
import { addressBytes } from '../base/ip.ts';
import type { Address } from '../base/ip.ts';
import { parseMac } from '../base/mac.ts';
import type { SetElement } from './element.ts';
import { concatenate, setPlan } from './layout.ts';
import type { SetName } from './layout.ts';
import { ifnameBytes } from './match.ts';
import { ownerComment } from './owner.ts';
import { publishElements } from './publish-elements.ts';
import type { AttachmentRules, OneToOne, SourceTranslation } from './rules.ts';

function masqueradeElement(address: Address, comment: string): SetElement {
  return { set: `masq${address.family}`, key: addressBytes(address), comment };
}

function sourceElements({ address, to, uplinks }: SourceTranslation, comment: string): SetElement[] {
  const { family } = address;
  const what = to === undefined ? (`masq${family}` as const) : (`snat${family}` as const);
  const data = to === undefined ? {} : { data: addressBytes(to) };
  if (uplinks === undefined) return [{ set: what, key: addressBytes(address), ...data, comment }];
  const set: SetName = `${what}_via`;
  return uplinks.map((uplink) => ({
    set,
    key: concatenate(setPlan(set).key, [addressBytes(address), ifnameBytes(uplink)]),
    ...data,
    comment,
  }));
}

function oneToOneElements(pair: OneToOne, comment: string): SetElement[] {
  const { family } = pair.public;
  return [
    { set: `one${family}`, key: addressBytes(pair.public), data: addressBytes(pair.container), comment },
    ...sourceElements({ address: pair.container, to: pair.public }, comment),
  ];
}

function ownAddressElements(port: Buffer, address: Address, comment: string): SetElement[] {
  const element = (set: SetName): SetElement => ({
    set,
    key: concatenate(setPlan(set).key, [port, addressBytes(address)]),
    comment,
  });
  return address.family === 4 ? [element('bound4')] : [element('bound6'), element('bound_targets6')];
}

function spoofElements({ macSpoofCheck, addressSpoofCheck }: AttachmentRules, comment: string): SetElement[] {
  if (macSpoofCheck === undefined) return [];
  const port = ifnameBytes(macSpoofCheck.hostIfname);
  return [
    { set: 'checked', key: port, comment },
    {
      set: 'macs',
      key: concatenate(setPlan('macs').key, [port, parseMac(macSpoofCheck.mac)]),
      comment,
    },
    ...(addressSpoofCheck ? [{ set: 'bound', key: port, comment } as const] : []),
    ...(addressSpoofCheck ?? []).flatMap((address) => ownAddressElements(port, address, comment)),
  ];
}

/** The elements that go with the attachment. Throws RangeError for ports that do not exist. */
export function attachmentElements(a: AttachmentRules): SetElement[] {
  const comment = ownerComment(a.owner);
  const port = (set: SetName, name: string | undefined): SetElement[] =>
    name === undefined ? [] : [{ set, key: ifnameBytes(name), comment }];
  return [
    ...a.masquerade.map((address) => masqueradeElement(address, comment)),
    ...(a.sources ?? []).flatMap((source) => sourceElements(source, comment)),
    ...(a.oneToOne ?? []).flatMap((pair) => oneToOneElements(pair, comment)),
    ...a.forwards.flatMap((forward) => publishElements(forward, comment)),
    ...spoofElements(a, comment),
    ...port('isolated', a.isolatedPort),
    ...port('containers', a.clientPort),
  ];
}
