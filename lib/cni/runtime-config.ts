/**
 * `runtimeConfig`: what the runtime hands over through capabilities (CNI CONVENTIONS.md). Its keys are read in any
 * case: go-cni (containerd, nerdctl) marshals structs without JSON names and sends HostPort, Servers, IngressRate.
 */
import { validate } from '../../schemas/compiled/runtime-config.js';
import type { RuntimeConfigInput } from '../../schemas/compiled/runtime-config.js';
import runtimeConfigSchema from '../../schemas/runtime-config.schema.json' with { type: 'json' };
import type { Json, JsonObject } from './json.ts';
import { isJsonObject } from './json.ts';
import type { Dns } from './result.ts';
import { compactDns } from './result.ts';
import { schemaProblem } from './schema-errors.ts';

export type PortMappingInput = NonNullable<RuntimeConfigInput['portMappings']>[number];

/** Bits and bits per second. */
export type Bandwidth = NonNullable<RuntimeConfigInput['bandwidth']>;

/** As host-local's `ranges`: a list for each address, of the ranges it may come from. */
export type IpRanges = NonNullable<RuntimeConfigInput['ipRanges']>;

export interface RuntimeConfig {
  readonly portMappings: readonly PortMappingInput[];
  readonly ipRanges: IpRanges;
  readonly bandwidth?: Bandwidth;
  readonly dns: Dns;
  /** "10.1.0.2" or "10.1.0.2/16" */
  readonly ips: readonly string[];
  readonly mac?: string;
  readonly infinibandGUID?: string;
  readonly deviceID?: string;
  readonly cgroupPath?: string;
  readonly aliases: readonly string[];
  readonly podAnnotations: Readonly<Record<string, string>>;
}

export const NO_RUNTIME_CONFIG: RuntimeConfig = {
  portMappings: [],
  ipRanges: [],
  dns: {},
  ips: [],
  aliases: [],
  podAnnotations: {},
};

const POD_ANNOTATIONS = 'io.kubernetes.cri.pod-annotations';

const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  portMappings: ['hostPort', 'containerPort', 'protocol', 'hostIP', 'range', 'count'],
  ipRanges: ['subnet', 'rangeStart', 'rangeEnd', 'gateway'],
  bandwidth: ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'],
  dns: ['servers', 'searches', 'options'],
};

const CAPABILITIES = [
  ...Object.keys(MEMBERS),
  'ips',
  'mac',
  'infinibandGUID',
  'deviceID',
  'cgroupPath',
  'aliases',
  POD_ANNOTATIONS,
];

/** Keys brought to the spelling of `known`; a key spelled exactly so wins over its other spellings. */
function respell(object: JsonObject, known: readonly string[]): [string, Json][] {
  const exact = known.filter((key) => Object.hasOwn(object, key));
  return Object.entries(object).flatMap(([key, value]): [string, Json][] => {
    const meant = known.find((name) => name.toLowerCase() === key.toLowerCase()) ?? key;
    return meant !== key && exact.includes(meant) ? [] : [[meant, value]];
  });
}

function respellMembers(value: Json, known: readonly string[]): Json {
  if (Array.isArray(value)) return value.map((item: Json) => respellMembers(item, known));
  return isJsonObject(value) ? Object.fromEntries(respell(value, known)) : value;
}

function canonical(raw: JsonObject): JsonObject {
  const entries = respell(raw, CAPABILITIES);
  return Object.fromEntries(
    entries.map(([key, value]) => {
      const known = Object.hasOwn(MEMBERS, key) ? MEMBERS[key] : undefined;
      return [key, known === undefined ? value : respellMembers(value, known)];
    }),
  );
}

function aliasesFor(network: string, aliases: RuntimeConfigInput['aliases']): readonly string[] {
  if (aliases === undefined || Array.isArray(aliases)) return aliases ?? [];
  return (Object.hasOwn(aliases, network) ? aliases[network] : undefined) ?? [];
}

/** `network` chooses among podman's aliases. Throws NetmoorError('bad-config') naming what has the wrong type. */
export function readRuntimeConfig(raw: JsonObject, network: string): RuntimeConfig {
  const input: unknown = canonical(raw);
  if (!validate(input)) throw schemaProblem(runtimeConfigSchema, validate.errors, input, 'runtimeConfig');
  const { portMappings = [], ipRanges = [], bandwidth, dns = {}, ips = [], aliases, ...rest } = input;
  const { mac, infinibandGUID, deviceID, cgroupPath } = rest;
  return {
    portMappings,
    ipRanges,
    dns: compactDns({ nameservers: dns.servers, search: dns.searches, options: dns.options }),
    ips,
    aliases: aliasesFor(network, aliases),
    podAnnotations: rest[POD_ANNOTATIONS] ?? {},
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(mac ? { mac } : {}),
    ...(infinibandGUID ? { infinibandGUID } : {}),
    ...(deviceID ? { deviceID } : {}),
    ...(cgroupPath ? { cgroupPath } : {}),
  };
}
