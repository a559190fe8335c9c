/** Protocols that have ports, by the numbers that IANA has given them, and ports as packets have them. */

export const PROTOCOL_NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const;

export type TransportProtocol = keyof typeof PROTOCOL_NUMBERS;

const NAMES: ReadonlyMap<number, TransportProtocol> = new Map(
  (['tcp', 'udp', 'sctp'] as const).map((name) => [PROTOCOL_NUMBERS[name], name]),
);

/** Undefined for one that has no ports. */
export function protocolNamed(number: number | undefined): TransportProtocol | undefined {
  return number === undefined ? undefined : NAMES.get(number);
}

/** Two bytes in network order. */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** What the first two bytes say; 0 where there are none. */
export function wordIn(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 0 : Buffer.from(bytes).readUInt16BE(0);
}
