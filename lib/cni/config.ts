/**
 * The configuration on stdin (CNI specification 1.1.0, section 3 "Deriving request configuration"): what the protocol
 * defines of it, as a readonly value. The plugin's own keys are left in `raw` for the plugin's schema.
 */
import { NetmoorError } from '../base/errors.ts';
import { validate } from '../../schemas/compiled/net-config.js';
import type { NetConfig } from '../../schemas/compiled/net-config.js';
import netConfigSchema from '../../schemas/net-config.schema.json' with { type: 'json' };
import { decodeResult } from './decode-result.ts';
import type { Command } from './environment.ts';
import type { JsonObject } from './json.ts';
import { isJsonObject, parseJsonObject } from './json.ts';
import { networkNameProblem } from './names.ts';
import { quote } from './quote.ts';
import type { CniResult, Dns } from './result.ts';
import { compactDns } from './result.ts';
import type { RuntimeConfig } from './runtime-config.ts';
import { NO_RUNTIME_CONFIG, readRuntimeConfig } from './runtime-config.ts';
import { schemaProblem } from './schema-errors.ts';
import { ASSUMED_VERSION, SUPPORTED_VERSIONS, isAtLeast, isSupportedVersion } from './versions.ts';
import type { CniVersion } from './versions.ts';

export interface ValidAttachment {
  readonly containerId: string;
  readonly ifname: string;
}

export interface CniConfig {
  readonly cniVersion: CniVersion;
  /** The network's name, checked. */
  readonly name: string;
  /** The plugin's own type; empty when absent. */
  readonly type: string;
  /** Undefined when the key is absent, which means something else than an empty object. */
  readonly ipam?: JsonObject;
  readonly dns: Dns;
  /** `args.cni`, the documented place for arguments (CONVENTIONS.md). */
  readonly args: { readonly ips?: readonly string[]; readonly mac?: string; readonly name?: string };
  readonly runtimeConfig: RuntimeConfig;
  readonly prevResult?: CniResult;
  /**
   * GC: what is not in here is stale. Empty when the key is absent, because that is what a runtime sends that knows of
   * no attachment (libcni with nil arguments, which is what cnitool passes).
   */
  readonly validAttachments: readonly ValidAttachment[];
  /** The whole document without null members. */
  readonly raw: JsonObject;
}

/** Parses stdin. Throws NetmoorError('bad-json'). */
export function parseConfig(stdin: Buffer): JsonObject {
  return parseJsonObject(stdin, 'the network configuration on stdin');
}

/** The version a configuration is written in. Throws 'bad-version', or 'bad-json' when it is no string. */
export function configVersion(raw: JsonObject): CniVersion {
  const version = raw['cniVersion'] ?? '';
  if (version === '') return ASSUMED_VERSION;
  if (typeof version !== 'string') {
    throw new NetmoorError(
      'bad-json',
      `cniVersion must be a string, not ${quote(version)}`,
      'write "cniVersion": "1.0.0"',
    );
  }
  if (isSupportedVersion(version)) return version;
  throw new NetmoorError(
    'bad-version',
    `the configuration has cniVersion ${quote(version)}, which is not supported`,
    `supported are ${SUPPORTED_VERSIONS.join(', ')}`,
  );
}

const SINCE: Readonly<Partial<Record<Command, CniVersion>>> = {
  CHECK: '0.4.0',
  GC: '1.1.0',
  STATUS: '1.1.0',
};

function requireCommandOf(version: CniVersion, command: Command): void {
  const since = SINCE[command];
  if (since === undefined || isAtLeast(version, since)) return;
  throw new NetmoorError(
    'bad-version',
    `a configuration of cniVersion ${version} does not allow ${command}`,
    `set "cniVersion" to ${since} or later`,
  );
}

function readName(raw: JsonObject): string {
  const name = raw['name'] ?? '';
  if (name === '')
    throw new NetmoorError('bad-config', 'the network has no name', 'add "name" to the configuration');
  const problem = typeof name === 'string' ? networkNameProblem(name) : `${quote(name)} is no string`;
  if (typeof name !== 'string' || problem !== undefined) {
    throw new NetmoorError('bad-config', `name of the network: ${problem}`, 'choose another name');
  }
  return name;
}

function checked(raw: JsonObject): NetConfig {
  const input: unknown = raw;
  if (validate(input)) return input;
  throw schemaProblem(netConfigSchema, validate.errors, raw, '');
}

function passes(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof NetmoorError) return false;
    throw error;
  }
}

/** DEL goes on with what can be used: a member that is of no use is dropped as if it were absent. */
function usable(raw: JsonObject): JsonObject {
  const keeps = ([key, value]: [string, unknown]): boolean =>
    passes(() => {
      checked({ [key]: value } as JsonObject);
      if (key === 'prevResult') decodeResult(value, key);
      if (key === 'runtimeConfig' && isJsonObject(value)) readRuntimeConfig(value, '');
    });
  return Object.fromEntries(Object.entries(raw).filter(keeps));
}

function readValidAttachments(config: NetConfig): ValidAttachment[] {
  const listed = [...(config['cni.dev/valid-attachments'] ?? []), ...(config['cni.dev/attachments'] ?? [])];
  return listed.map(({ containerID, ifname }) => ({ containerId: containerID, ifname }));
}

function interpret(raw: JsonObject, name: string, cniVersion: CniVersion): CniConfig {
  const config = checked(raw);
  const { ipam, prevResult, runtimeConfig } = raw;
  return {
    cniVersion,
    name,
    type: config.type ?? '',
    dns: compactDns(config.dns ?? {}),
    args: config.args?.cni ?? {},
    runtimeConfig: isJsonObject(runtimeConfig) ? readRuntimeConfig(runtimeConfig, name) : NO_RUNTIME_CONFIG,
    validAttachments: readValidAttachments(config),
    raw,
    ...(isJsonObject(ipam) ? { ipam } : {}),
    ...(prevResult === undefined ? {} : { prevResult: decodeResult(prevResult, 'prevResult') }),
  };
}

/**
 * Reads what `parseConfig` returned, of a version that `configVersion` returned. Throws NetmoorError: 'bad-version'
 * when the version does not know the command, 'bad-config' and 'unsupported-field' naming the key. For DEL only the
 * name must be right.
 */
export function readConfig(raw: JsonObject, cniVersion: CniVersion, command: Command): CniConfig {
  const name = readName(raw);
  requireCommandOf(cniVersion, command);
  try {
    return interpret(raw, name, cniVersion);
  } catch (error) {
    if (command !== 'DEL' || !(error instanceof NetmoorError)) throw error;
    return interpret(usable(raw), name, cniVersion);
  }
}
