/** What an ACK leases. */
import { isHostName } from '../../../lib/base/domain-name.ts';
import type { Sender } from '../machine.ts';
import type { Lease4, LeasedDns } from '../lease.ts';
import { classLength, isHostAddress, maskLength } from './host-address.ts';
import { leaseRoutes } from './lease-routes.ts';
import { leaseTimes } from './lease-times.ts';
import type { Message4 } from './message.ts';
import {
  DOMAIN_NAME,
  DOMAIN_NAME_SERVERS,
  DOMAIN_SEARCH,
  HOST_NAME,
  INTERFACE_MTU,
  SUBNET_MASK,
  soundOption,
} from './options/known.ts';
import type { Option, Options } from './options/known.ts';

/**
 * The MTU that each host must be able to put packets together of (RFC 791), and what some broken servers go below. The
 * option may say 68 (RFC 2132, section 5.1), with which hardly anything works: it would be an easy way to do harm.
 */
const SMALLEST_MTU = 576;

/** Of the network that an address is in: by option 1, where it says something sensible, else by its class. */
export function prefixLengthOf(address: string, options: Options): number {
  const mask = soundOption(options, SUBNET_MASK);
  return (mask === undefined ? undefined : maskLength(mask)) ?? classLength(address);
}

function nameOf(options: Options, option: Option<string>): string | undefined {
  const name = soundOption(options, option)?.replace(/\.$/, '');
  return name !== undefined && isHostName(name.split('.')) ? name : undefined;
}

function dnsOf(options: Options): LeasedDns {
  const domain = nameOf(options, DOMAIN_NAME);
  return {
    nameservers: [...new Set(soundOption(options, DOMAIN_NAME_SERVERS)?.filter(isHostAddress))],
    ...(domain !== undefined && { domain }),
    search: [...new Set(soundOption(options, DOMAIN_SEARCH))],
  };
}

/** `message`: an ACK that counts (answer.ts), from `server`; `since`: when the REQUEST was sent. */
export function leaseFrom(message: Message4, server: string, from: Sender, since: number): Lease4 {
  const { yiaddr, options } = message;
  const mtu = soundOption(options, INTERFACE_MTU) ?? 0;
  const hostname = nameOf(options, HOST_NAME);
  return {
    ...leaseTimes(options, since),
    address: `${yiaddr}/${prefixLengthOf(yiaddr, options)}`,
    server,
    ...(from.mac !== undefined && { serverMac: from.mac }),
    ...leaseRoutes(options, yiaddr),
    dns: dnsOf(options),
    ...(mtu >= SMALLEST_MTU && { mtu }),
    ...(hostname !== undefined && { hostname }),
  };
}
