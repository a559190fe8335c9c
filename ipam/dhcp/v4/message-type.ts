/** Option 53 (RFC 2132, section 9.6; registry "DHCP Message Type 53 Values"). */

/** In the order of their numbers, the first is 1. */
const TYPES = [
  'discover',
  'offer',
  'request',
  'decline',
  'ack',
  'nak',
  'release',
  'inform',
  'forcerenew',
  'leasequery',
  'leaseunassigned',
  'leaseunknown',
  'leaseactive',
  'bulkleasequery',
  'leasequerydone',
  'activeleasequery',
  'leasequerystatus',
  'tls',
] as const;

export type MessageType = (typeof TYPES)[number];

/** Undefined for a number that has no meaning. */
export function messageType(number: number): MessageType | undefined {
  return TYPES[number - 1];
}

export function messageTypeNumber(type: MessageType): number {
  return TYPES.indexOf(type) + 1;
}
