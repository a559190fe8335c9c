/**
 * What the caller asks for one attachment, gathered from its three possible places (CNI CONVENTIONS.md): the
 * capabilities (`runtimeConfig`), `args.cni`, and the deprecated CNI_ARGS, which does not count for what `args.cni`
 * gives.
 */
import { NetmoorError, errorText } from '../base/errors.ts';
import { bitsOf, parseAddress, parsePrefix, sameAddress } from '../base/ip.ts';
import type { Address, Prefix } from '../base/ip.ts';
import { formatMac, parseMac } from '../base/mac.ts';
import type { CniConfig } from './config.ts';
import type { CniRequest } from './environment.ts';
import { isJsonObject, parseJsonObject } from './json.ts';
import type { Json } from './json.ts';
import { quote } from './quote.ts';

/** Refused values from CNI_ARGS are invalid variables (code 4), all others an invalid configuration (code 7). */
function read<T>(place: string, text: string, reader: (text: string) => T): T {
  try {
    return reader(text);
  } catch (error) {
    const kind = place.startsWith('CNI_ARGS') ? 'bad-environment' : 'bad-config';
    throw new NetmoorError(kind, `${place}: ${errorText(error)}`, 'correct the value or leave it out', {
      cause: error,
    });
  }
}

/** What runtimes tell of a pod beside what is asked for: K8S_POD_NAME, K8S_POD_NAMESPACE, … */
const KNOWN_ARGS = /^(IgnoreUnknown|IP|MAC|GATEWAY|K8S_[A-Z0-9_]+)$/;

/**
 * As the reference library (types.LoadArgs): CNI_ARGS is of no use to whoever misspells it, unless he says
 * IgnoreUnknown=1 or true, as podman, containerd and CRI-O always do. Throws NetmoorError('bad-environment').
 */
export function refuseUnknownArgs({ args }: Pick<CniRequest, 'args'>): void {
  const ignore = args.get('IgnoreUnknown')?.toLowerCase() ?? '0';
  if (!['0', '1', 'false', 'true'].includes(ignore))
    throw new NetmoorError(
      'bad-environment',
      `CNI_ARGS IgnoreUnknown: ${quote(ignore)} is neither true nor false`,
      'write 1, true, 0 or false',
    );
  const unknown = [...args.keys()].filter((key) => !KNOWN_ARGS.test(key));
  if (unknown.length === 0 || ignore === '1' || ignore === 'true') return;
  throw new NetmoorError(
    'bad-environment',
    `CNI_ARGS holds unknown keys: ${unknown.map((key) => quote(key)).join(', ')}`,
    'correct or remove them, or add IgnoreUnknown=1',
  );
}

/** Without a length it is the whole address. */
function readPrefix(text: string): Prefix {
  if (text.includes('/')) return parsePrefix(text);
  const address = parseAddress(text);
  return { address, length: bitsOf(address.family) };
}

/** Each address once. */
function distinct(prefixes: readonly Prefix[]): Prefix[] {
  return prefixes.filter(
    ({ address }, index) => prefixes.findIndex((other) => sameAddress(address, other.address)) === index,
  );
}

/**
 * Addresses asked for, with the prefix lengths that came with them, else those of whole addresses. For each family the
 * capability wins over the arguments; both may be there, because nerdctl passes IPv4 in CNI_ARGS and IPv6 through the
 * capability. Throws NetmoorError 'bad-config' or 'bad-environment'.
 */
export function requestedPrefixes(config: CniConfig, request: CniRequest): Prefix[] {
  const capability = config.runtimeConfig.ips.map((text, index) =>
    read(`runtimeConfig.ips[${index}]`, text, readPrefix),
  );
  const listed = (request.args.get('IP') ?? '').split(',').map((text) => text.trim());
  const fromEnvironment = (): Prefix[] =>
    listed.filter((text) => text !== '').map((text) => read('CNI_ARGS IP', text, readPrefix));
  const args =
    config.args.ips?.map((text, index) => read(`args.cni.ips[${index}]`, text, readPrefix)) ??
    fromEnvironment();
  const others = args.filter(
    ({ address }) => !capability.some((given) => given.address.family === address.family),
  );
  return distinct([...capability, ...others]);
}

/** A configuration, or what it holds at `path`, with fewer `ips`. */
function withFewerIps(value: Json, path: readonly string[], stays: (text: Json) => boolean): Json {
  if (!isJsonObject(value)) return value;
  const [next = 'ips', ...rest] = path;
  const fewer = (inner: Json): Json =>
    path.length > 0 ? withFewerIps(inner, rest, stays) : Array.isArray(inner) ? inner.filter(stays) : inner;
  // Capabilities are read without regard to case.
  const members = Object.entries(value).map(([key, inner]): [string, Json] => [
    key,
    key.toLowerCase() === next.toLowerCase() ? fewer(inner) : inner,
  ]);
  return Object.fromEntries(members);
}

/** A request that has been read, asking for none of these addresses any more: for a plugin that is to give others. */
export function withoutAddresses(request: CniRequest, gone: readonly Address[]): CniRequest {
  if (gone.length === 0) return request;
  const stays = (text: Json): boolean =>
    typeof text !== 'string' ||
    !gone.some((address) => sameAddress(address, readPrefix(text.trim()).address));
  let config: Json = parseJsonObject(request.stdin, 'network configuration');
  for (const path of [['runtimeConfig'], ['args', 'cni']]) config = withFewerIps(config, path, stays);
  const args = (request.environment['CNI_ARGS'] ?? '').split(';').flatMap((pair) => {
    if (!pair.startsWith('IP=')) return [pair];
    const left = pair
      .slice(3)
      .split(',')
      .filter((text) => text.trim() !== '' && stays(text));
    return left.length > 0 ? [`IP=${left.join(',')}`] : [];
  });
  const environment = { ...request.environment, CNI_ARGS: args.join(';') };
  return { ...request, stdin: Buffer.from(JSON.stringify(config)), environment };
}

/** The same, without their lengths. */
export function requestedAddresses(config: CniConfig, request: CniRequest): Address[] {
  return requestedPrefixes(config, request).map(({ address }) => address);
}

/**
 * The MAC address asked for, lower-case; undefined when none is, and the network has none (`configured`) for all its
 * containers. Throws NetmoorError 'bad-config' or 'bad-environment'.
 */
export function requestedMac(
  config: CniConfig,
  request: CniRequest,
  configured?: string,
): string | undefined {
  const sources = [
    ['runtimeConfig.mac', config.runtimeConfig.mac],
    ['args.cni.mac', config.args.mac],
    ['CNI_ARGS MAC', request.args.get('MAC')],
    ['mac', configured],
  ] as const;
  for (const [place, text] of sources) {
    if (text) return read(place, text, (mac) => formatMac(parseMac(mac)));
  }
  return undefined;
}

const NAME_LENGTH = 253;

/**
 * The name people know the container by: `args.cni.name`, or K8S_POD_NAME, which podman, containerd and CRI-O send.
 * Only shown and compared with reservations, so one that is not fit to be shown is left out.
 */
export function containerName(config: CniConfig, request: CniRequest): string | undefined {
  const name = config.args.name ?? request.args.get('K8S_POD_NAME') ?? '';
  return name.length <= NAME_LENGTH && /^[\x21-\x7e]+$/.test(name) ? name : undefined;
}
