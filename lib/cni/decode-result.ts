/**
 * Results as other plugins and runtimes write them, of any version from 0.1.0 to 1.1.0 (CNI specification, section 5).
 */
import { NetmoorError, errorText } from '../base/errors.ts';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '../base/ip.ts';
import { validate } from '../../schemas/compiled/result.js';
import type { ResultInput } from '../../schemas/compiled/result.js';
import resultSchema from '../../schemas/result.schema.json' with { type: 'json' };
import { quote } from './quote.ts';
import { compact, compactDns } from './result.ts';
import type { CniInterface, CniIp, CniResult, CniRoute } from './result.ts';
import { schemaProblem } from './schema-errors.ts';
import { isSupportedVersion } from './versions.ts';

function readIn<T>(what: string, text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    throw new NetmoorError('bad-config', `${what}: ${errorText(error)}`, 'a plugin of the chain wrote it', {
      cause: error,
    });
  }
}

type RouteInput = NonNullable<ResultInput['routes']>[number];
type OldIpInput = NonNullable<ResultInput['ip4']>;

function canonicalAddress(text: string): string {
  return formatAddress(parseAddress(text));
}

function canonicalPrefix(text: string): string {
  return formatPrefix(parsePrefix(text));
}

function decodeGateway(what: string, gateway: string | undefined): string | undefined {
  return gateway ? readIn(what, gateway, canonicalAddress) : undefined;
}

function decodeRoute(what: string, route: RouteInput): CniRoute {
  const { dst, gw, mtu, advmss, priority, table, scope } = route;
  return compact<CniRoute>({
    dst: readIn(`${what}.dst`, dst, canonicalPrefix),
    gw: decodeGateway(`${what}.gw`, gw),
    mtu: mtu || undefined,
    advmss: advmss || undefined,
    priority: priority || undefined,
    table,
    scope,
  });
}

function decodeOldIp(what: string, ip: OldIpInput): { ip: CniIp; routes: CniRoute[] } {
  const address = readIn(`${what}.ip`, ip.ip, canonicalPrefix);
  const gateway = decodeGateway(`${what}.gateway`, ip.gateway);
  const routes = (ip.routes ?? []).map((route, index) => decodeRoute(`${what}.routes[${index}]`, route));
  return { ip: compact<CniIp>({ address, gateway, interface: undefined }), routes };
}

function decodeInterface(item: NonNullable<ResultInput['interfaces']>[number]): CniInterface {
  const { name, mac, mtu, sandbox, socketPath, pciID } = item;
  return {
    name,
    ...compact<Omit<CniInterface, 'name'>>({ mac, mtu: mtu || undefined, sandbox, socketPath, pciID }),
  };
}

function decodeIp(what: string, ip: NonNullable<ResultInput['ips']>[number], interfaces: number): CniIp {
  const index = ip.interface;
  if (index !== undefined && (index < 0 || index >= interfaces)) {
    throw new NetmoorError(
      'bad-config',
      `${what}.interface is ${index}, but there are ${interfaces} interfaces`,
      'a plugin of the chain wrote it',
    );
  }
  const address = readIn(`${what}.address`, ip.address, canonicalPrefix);
  return compact<CniIp>({ address, gateway: decodeGateway(`${what}.gateway`, ip.gateway), interface: index });
}

function checkVersion(what: string, version: string | undefined): void {
  if (!version || isSupportedVersion(version)) return;
  throw new NetmoorError(
    'bad-version',
    `${what} has cniVersion ${quote(version)}, which is not supported`,
    'use plugins of versions up to 1.1.0',
  );
}

/**
 * Reads a result of any supported version by its shape; `what` names it in messages ("prevResult"). Members with the
 * value null must have been dropped (lib/cni/json.ts). Throws NetmoorError 'bad-config' or 'bad-version'.
 */
export function decodeResult(value: unknown, what: string): CniResult {
  if (!validate(value)) throw schemaProblem(resultSchema, validate.errors, value, what);
  const result: ResultInput = value;
  checkVersion(what, result.cniVersion);
  const interfaces = (result.interfaces ?? []).map(decodeInterface);
  const ips = (result.ips ?? []).map((ip, index) => decodeIp(`${what}.ips[${index}]`, ip, interfaces.length));
  const routes = (result.routes ?? []).map((route, index) => decodeRoute(`${what}.routes[${index}]`, route));
  for (const key of ['ip4', 'ip6'] as const) {
    const old = result[key];
    if (old === undefined) continue;
    const decoded = decodeOldIp(`${what}.${key}`, old);
    ips.push(decoded.ip);
    routes.push(...decoded.routes);
  }
  return { interfaces, ips, routes, dns: compactDns(result.dns ?? {}) };
}
