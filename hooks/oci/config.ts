/**
 * What is wanted for a container, as one readonly value: its annotations and the hook's flags brought together and
 * checked.
 *
 * Annotations may come from someone else than who installed the hook (CRI-O and podman hand them on from their users),
 * so they choose among options only, never which programs and files of the host are used; where both are given the
 * annotation counts.
 */
import { isAbsolute } from 'node:path';
import { NetmoorError, errorText } from '../../lib/base/errors.ts';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import { nearest } from '../../lib/base/suggest.ts';
import { DEFAULT_NETWORK } from '../../lib/cni/lists/list.ts';
import {
  assignInterfaceNames,
  readIp,
  readMac,
  readNetworks,
  readPorts,
  splitList,
} from '../../lib/cni/lists/options.ts';
import type { NamedNetwork, WantedNetwork } from '../../lib/cni/lists/options.ts';
import { quote } from '../../lib/cni/quote.ts';
import { compactDns } from '../../lib/cni/result.ts';
import type { Dns } from '../../lib/cni/result.ts';
import { schemaProblem } from '../../lib/cni/schema-errors.ts';
import { validate } from '../../schemas/compiled/oci-options.js';
import type { OciOptions } from '../../schemas/compiled/oci-options.js';
import optionsSchema from '../../schemas/oci-options.schema.json' with { type: 'json' };
import { expandVariables } from './env-file.ts';
import { OPTION_KEYS } from './flags.ts';
import type { Flags, OptionTexts } from './flags.ts';

export const PREFIX = 'netmoor/';

export const CONTAINER_FILES = ['resolv.conf', 'hosts', 'hostname'] as const;

export type ContainerFile = (typeof CONTAINER_FILES)[number];

export interface HookConfig {
  /** At least one, each with its interface name. */
  readonly networks: readonly NamedNetwork[];
  /** The name people know the container by. */
  readonly hostname?: string;
  readonly dns: Dns;
  /** Which files to write for the container. */
  readonly files: readonly ContainerFile[];
  /** Where the results go: absolute, or inside the bundle. */
  readonly resultFile?: string;
  readonly ipFile?: string;
}

function refuse(place: string, problem: string, advice: string): never {
  throw new NetmoorError('bad-config', `${place}: ${problem}`, advice);
}

/** The annotations that are ours, without their prefix. Throws for one that nobody knows. */
function ownAnnotations(annotations: OptionTexts): OptionTexts {
  const own = Object.entries(annotations).filter(([key]) => key.startsWith(PREFIX));
  for (const [key] of own) {
    const name = key.slice(PREFIX.length);
    if (OPTION_KEYS.includes(name)) continue;
    const meant = nearest(name, OPTION_KEYS);
    const known = `known are ${OPTION_KEYS.map((known) => PREFIX + known).join(', ')}`;
    refuse(
      'annotations',
      `unknown ${quote(key)}`,
      meant === undefined ? known : `did you mean "${PREFIX}${meant}"? ${known}`,
    );
  }
  return Object.fromEntries(own.map(([key, value]) => [key.slice(PREFIX.length), value]));
}

function expanded(options: OptionTexts, variables: ReadonlyMap<string, string> | undefined): OptionTexts {
  return Object.fromEntries(
    Object.entries(options).map(([key, text]) => [key, expandVariables(text, variables, `--${key}`)]),
  );
}

/** An option set to nothing, as by a variable that is empty, is one that was not given. */
function withoutEmpty(options: OptionTexts): OptionTexts {
  return Object.fromEntries(Object.entries(options).filter(([, text]) => text.trim() !== ''));
}

function checkTexts(options: OptionTexts): OciOptions {
  const input: unknown = options;
  if (validate(input)) return input;
  throw schemaProblem(optionsSchema, validate.errors, options, '');
}

/** RFC 1123, section 2.1. What others on the host rely on must not be claimed: the name goes into hosts files. */
function readHostname(text: string): string {
  const name = text.trim();
  const label = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;
  const labels = name.split('.');
  if (name.length > 253 || !labels.every((each) => label.test(each)) || /^\d+$/.test(labels.at(-1) ?? '')) {
    refuse(
      'hostname',
      `${quote(text)} is no host name`,
      'use letters, digits and "-", with dots between the parts of a domain name',
    );
  }
  if (/^(localhost|ip6-.*)$|\.localhost$/i.test(name))
    refuse('hostname', `${quote(text)} has a meaning of its own`, 'choose another name');
  return name;
}

function readServer(text: string): string {
  try {
    return formatAddress(parseAddress(text));
  } catch (error) {
    return refuse('dns', errorText(error), 'name servers are given by address');
  }
}

function readWord(place: string, text: string): string {
  return /^[\x21-\x7e]{1,253}$/.test(text)
    ? text
    : refuse(place, `${quote(text)} is no single word`, 'use printable characters');
}

function readDns(texts: OciOptions): Dns {
  const list = (key: 'dns-search' | 'dns-options'): string[] =>
    splitList(texts[key] ?? '').map((text) => readWord(key, text));
  const nameservers = splitList(texts.dns ?? '').map(readServer);
  return compactDns({ nameservers, search: list('dns-search'), options: list('dns-options') });
}

function isContainerFile(name: string): name is ContainerFile {
  return (CONTAINER_FILES as readonly string[]).includes(name);
}

function readFiles(text: string): ContainerFile[] {
  const files = splitList(text).map((name) => {
    if (isContainerFile(name)) return name;
    const meant = nearest(name, CONTAINER_FILES);
    const known = `known are ${CONTAINER_FILES.join(', ')}`;
    return refuse(
      'files',
      `${quote(name)} is none that can be written`,
      meant === undefined ? known : `did you mean ${meant}? ${known}`,
    );
  });
  return [...new Set(files)];
}

/** Only a flag, which root wrote, may lead out of the bundle. */
function checkPath(key: string, path: string | undefined, isAnnotation: boolean): void {
  if (path === undefined) return;
  const name = path.split('/').at(-1) ?? '';
  if (['', '.', '..'].includes(name)) refuse(key, `${quote(path)} is no file name`, 'name a file');
  if (isAnnotation && (isAbsolute(path) || path.split('/').includes('..'))) {
    refuse(
      key,
      `${quote(path)} is outside the bundle`,
      'an annotation names a file in the bundle; for another place use the flag',
    );
  }
}

/** What is asked for the first network, beside what its own entry asks. */
function completeFirst(networks: readonly WantedNetwork[], texts: OciOptions): WantedNetwork[] {
  const [first, ...others] = networks;
  if (first === undefined) return [];
  const mac = texts.mac === undefined ? first.mac : readMac(texts.mac, 'mac');
  if (first.mac !== undefined && mac !== first.mac)
    refuse('mac', `${mac} contradicts ${first.mac}`, 'give the MAC address once');
  const aliases = splitList(texts.aliases ?? '').map((text) => readWord('aliases', text));
  const completed = {
    ...first,
    ips: [...first.ips, ...splitList(texts.ip ?? '').map((text) => readIp(text, 'ip'))],
    ports: [...first.ports, ...readPorts(texts.ports ?? '', 'ports')],
    aliases: [...first.aliases, ...aliases],
  };
  return [mac === undefined ? completed : { ...completed, mac }, ...others];
}

/**
 * Brings everything together. With neither annotation nor flag it is the default network. `variables` are those of the
 * flags' environment files. Throws NetmoorError 'bad-config' or 'unsupported-field' naming the option.
 */
export function readHookConfig(
  annotations: OptionTexts,
  flags: Flags,
  variables?: ReadonlyMap<string, string>,
): HookConfig {
  const own = withoutEmpty(ownAnnotations(annotations));
  const texts = checkTexts({ ...withoutEmpty(expanded(flags.options, variables)), ...own });
  const networks = readNetworks(texts.networks ?? DEFAULT_NETWORK.name, 'networks');
  for (const key of ['result-file', 'ip-file'] as const) checkPath(key, texts[key], own[key] !== undefined);
  const { 'result-file': resultFile, 'ip-file': ipFile, hostname } = texts;
  return {
    networks: assignInterfaceNames(completeFirst(networks, texts), 'networks'),
    dns: readDns(texts),
    files: readFiles(texts.files ?? ''),
    ...(hostname === undefined ? {} : { hostname: readHostname(hostname) }),
    ...(resultFile === undefined ? {} : { resultFile }),
    ...(ipFile === undefined ? {} : { ipFile }),
  };
}
