/**
 * The configuration of dhcp-ipam: the `ipam` object, checked against its schema, then against itself, with what the
 * runtime and the host say about the container put in.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { CniConfig } from '../../lib/cni/config.ts';
import type { CniRequest } from '../../lib/cni/environment.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { quote } from '../../lib/cni/quote.ts';
import { containerName } from '../../lib/cni/requested.ts';
import { schemaProblem } from '../../lib/cni/schema-errors.ts';
import { optionCode } from '../../ipam/dhcp/v4/options/table.ts';
import { OWN_OPTIONS } from '../../ipam/dhcp/v4/wish.ts';
import type { Wish4 } from '../../ipam/dhcp/v4/wish.ts';
import type { Wish6 } from '../../ipam/dhcp/v6/client/wish.ts';
import { validate } from '../../schemas/compiled/dhcp-ipam.js';
import type { DhcpIpamInput } from '../../schemas/compiled/dhcp-ipam.js';
import schema from '../../schemas/dhcp-ipam.schema.json' with { type: 'json' };
import { providedValue } from './provided.ts';

/** What goes into the machines, but for what only the interface tells. */
export interface DhcpConfig {
  readonly v4: Omit<Wish4, 'mac' | 'clientId'> | undefined;
  readonly v6: Omit<Wish6, 'duid' | 'iaid'> | undefined;
  /** Option 61 in hexadecimal, where the configuration gives it. */
  readonly clientId: string | undefined;
  readonly priority: number | undefined;
  /** Milliseconds that ADD waits. */
  readonly timeout: number;
  /** The interface of the host that the main plugin names. */
  readonly segment: string | undefined;
}

const TIMEOUT_SECONDS = 20;
const CLIENT_IDENTIFIER = 61;
const HOST_NAME = 12;
/** Of DHCPv6: name servers and search domains (RFC 3646). */
const RESOLVERS = [23, 24];

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', `ipam: ${message}`, advice);
}

function codeOf(option: string | number): number {
  const code = optionCode(String(option));
  if (code !== undefined) return code;
  return refuse(
    `${quote(String(option))} is no option of DHCPv4`,
    'name it as in the IANA list ("host-name"), or write its number',
  );
}

/** Options to send, by code, in hexadecimal. */
function readProvided({ provide = [] }: DhcpIpamInput, request: CniRequest): Map<number, string> {
  const provided = new Map<number, string>();
  for (const { option, value, fromArg } of provide) {
    const code = codeOf(option);
    if (OWN_OPTIONS.has(code) && code !== CLIENT_IDENTIFIER)
      refuse(`option ${option} is the client's own to say`, 'leave it out of "provide"');
    if (value !== undefined && fromArg !== undefined)
      refuse(`option ${option} has both a value and "fromArg"`, 'remove one of them');
    // As the reference: an argument that the runtime does not give is not sent.
    const text = fromArg === undefined ? value : request.args.get(fromArg);
    if (text === undefined || text === '') continue;
    const bytes = providedValue(code, text);
    if (bytes === undefined)
      refuse(
        `option ${option} cannot be ${quote(text)}`,
        'write text, an address, or for others hexadecimal digits behind 0x',
      );
    else provided.set(code, bytes.toString('hex'));
  }
  return provided;
}

function readRequested({ request = [] }: DhcpIpamInput): Pick<Wish4, 'request' | 'replaceDefaults'> {
  const codes = request.flatMap(({ option }) => (option === undefined ? [] : [codeOf(option)]));
  const replaceDefaults = request.some(({ skipDefault }) => skipDefault === true);
  return { ...(codes.length > 0 ? { request: codes } : {}), ...(replaceDefaults ? { replaceDefaults } : {}) };
}

const NAME = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** One that the configuration gives must be a name; the container's is told when it is one. */
function hostnameOf(input: DhcpIpamInput, config: CniConfig, request: CniRequest): string | undefined {
  const { hostname } = input;
  if (hostname === '') return undefined;
  if (hostname !== undefined && !NAME.test(hostname))
    refuse(`hostname ${quote(hostname)} is no host name`, 'letters, digits and "-", parted by "."');
  const name = hostname ?? containerName(config, request);
  return name !== undefined && NAME.test(name) ? name : undefined;
}

function wish4(
  input: DhcpIpamInput,
  provided: ReadonlyMap<number, string>,
  hostname: string | undefined,
): DhcpConfig['v4'] {
  const others = [...provided].filter(([code]) => code !== CLIENT_IDENTIFIER);
  return {
    ...readRequested(input),
    ...(others.length > 0 ? { provide: Object.fromEntries(others) } : {}),
    ...(hostname === undefined || provided.has(HOST_NAME) ? {} : { hostname }),
    checkAddress: input.checkAddress ?? false,
  };
}

function wish6(input: DhcpIpamInput, hostname: string | undefined): DhcpConfig['v6'] {
  const { prefixDelegation = false, stateless = false, rapidCommit = true } = input;
  const length = typeof prefixDelegation === 'number' ? [`::/${prefixDelegation}`] : undefined;
  return {
    addresses: !stateless,
    prefixes: length ?? (prefixDelegation ? 1 : 0),
    stateless,
    rapidCommit,
    request: RESOLVERS,
    provide: {},
    ...(hostname === undefined ? {} : { fqdn: hostname }),
    patient: false,
  };
}

function checkFamilies({ ip = 4, ...input }: DhcpIpamInput): void {
  const only4 = (['stateless', 'prefixDelegation'] as const).find((key) => input[key] && ip === 4);
  if (only4 !== undefined) refuse(`"${only4}" is of DHCPv6, but "ip" is 4`, 'set "ip" to 6 or "both"');
  const only6 = (['request', 'provide', 'checkAddress'] as const).find((key) => input[key] && ip === 6);
  if (only6 !== undefined) refuse(`"${only6}" is of DHCPv4, but "ip" is 6`, 'set "ip" to 4 or "both"');
  if (input.stateless && input.prefixDelegation)
    refuse('"stateless" leases nothing, also no prefix', 'remove "stateless" or "prefixDelegation"');
}

/** As the main plugins call it that have one: bridge and bridge-nat, macvlan and macvlan-v6. */
function segmentIn(raw: JsonObject): string | undefined {
  return [raw['bridge'], raw['master']].find(
    (name): name is string => typeof name === 'string' && name !== '',
  );
}

/**
 * Reads and checks everything. Throws NetmoorError: 'unsupported-field' for a key nobody knows, naming the nearest
 * known one; 'bad-config' for all else.
 */
export function readDhcpConfig(config: CniConfig, request: CniRequest): DhcpConfig {
  const input: unknown = config.ipam ?? {};
  if (!validate(input)) throw schemaProblem(schema, validate.errors, config.ipam ?? {}, 'ipam');
  checkFamilies(input);
  const { ip = 4, priority, timeout = TIMEOUT_SECONDS } = input;
  const provided = readProvided(input, request);
  const hostname = hostnameOf(input, config, request);
  return {
    v4: ip === 6 ? undefined : wish4(input, provided, hostname),
    v6: ip === 4 ? undefined : wish6(input, hostname),
    clientId: provided.get(CLIENT_IDENTIFIER),
    priority,
    timeout: timeout * 1000,
    segment: segmentIn(config.raw),
  };
}
