/** The options that netmoor itself reads or writes, and reading them out of a message. */
import { DecodeError } from '../../decode-error.ts';
import type { LeasedRoute } from '../../lease.ts';
import { address } from './address.ts';
import { addressList } from './address-list.ts';
import { classlessRoutes } from './classless-routes.ts';
import { clientFqdn } from './client-fqdn.ts';
import type { ClientFqdn } from './client-fqdn.ts';
import { clientIdentifier } from './client-identifier.ts';
import type { OptionCodec } from './codec.ts';
import { domainSearch } from './domain-search.ts';
import { flag } from './flag.ts';
import { number16, number32 } from './number.ts';
import { parameterRequestList } from './parameter-request-list.ts';
import { raw } from './raw.ts';
import { staticRoutes } from './static-routes.ts';
import type { StaticRoute } from './static-routes.ts';
import { text } from './text.ts';

/** Values as they are in messages, by code, the parts of long ones put together; in the order of the message. */
export type Options = ReadonlyMap<number, Buffer>;

export interface Option<Value> {
  readonly code: number;
  readonly codec: OptionCodec<Value>;
}

type Addresses = readonly string[];
type Routes = readonly LeasedRoute[];

export const SUBNET_MASK: Option<string> = { code: 1, codec: address };
export const ROUTERS: Option<Addresses> = { code: 3, codec: addressList };
export const DOMAIN_NAME_SERVERS: Option<Addresses> = { code: 6, codec: addressList };
export const HOST_NAME: Option<string> = { code: 12, codec: text };
export const DOMAIN_NAME: Option<string> = { code: 15, codec: text };
export const INTERFACE_MTU: Option<number> = { code: 26, codec: number16 };
export const BROADCAST_ADDRESS: Option<string> = { code: 28, codec: address };
export const STATIC_ROUTES: Option<readonly StaticRoute[]> = { code: 33, codec: staticRoutes };
export const REQUESTED_ADDRESS: Option<string> = { code: 50, codec: address };
/** Seconds, 0xffffffff for ever, as in the two that follow it. */
export const LEASE_TIME: Option<number> = { code: 51, codec: number32 };
export const RENEWAL_TIME: Option<number> = { code: 58, codec: number32 };
export const REBINDING_TIME: Option<number> = { code: 59, codec: number32 };
export const SERVER_IDENTIFIER: Option<string> = { code: 54, codec: address };
export const PARAMETER_REQUEST_LIST: Option<readonly number[]> = { code: 55, codec: parameterRequestList };
/** What a NAK or DECLINE says to people. */
export const MESSAGE: Option<string> = { code: 56, codec: text };
export const MAX_MESSAGE_SIZE: Option<number> = { code: 57, codec: number16 };
export const VENDOR_CLASS_IDENTIFIER: Option<Buffer> = { code: 60, codec: raw };
/** Hexadecimal. */
export const CLIENT_IDENTIFIER: Option<string> = { code: 61, codec: clientIdentifier };
export const RAPID_COMMIT: Option<true> = { code: 80, codec: flag };
export const CLIENT_FQDN: Option<ClientFqdn> = { code: 81, codec: clientFqdn };
export const RELAY_AGENT_INFORMATION: Option<Buffer> = { code: 82, codec: raw };
/** RFC 8925: seconds for which IPv4 is not needed. */
export const V6_ONLY_PREFERRED: Option<number> = { code: 108, codec: number32 };
export const SUBNET_SELECTION: Option<string> = { code: 118, codec: address };
export const DOMAIN_SEARCH: Option<readonly string[]> = { code: 119, codec: domainSearch };
export const CLASSLESS_ROUTES: Option<Routes> = { code: 121, codec: classlessRoutes };
export const MS_CLASSLESS_ROUTES: Option<Routes> = { code: 249, codec: classlessRoutes };

/** Undefined: it is not there. Throws DecodeError when it is not sound. */
export function readOption<Value>(options: Options, { code, codec }: Option<Value>): Value | undefined {
  const bytes = options.get(code);
  return bytes === undefined ? undefined : codec.decode(bytes);
}

/** Undefined: it is not there, or not sound. */
export function soundOption<Value>(options: Options, option: Option<Value>): Value | undefined {
  try {
    return readOption(options, option);
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** What `new Map([…])` wants. Throws AddressError or RangeError for a value that cannot be written. */
export function written<Value>({ code, codec }: Option<Value>, value: Value): readonly [number, Buffer] {
  return [code, codec.encode(value)];
}
