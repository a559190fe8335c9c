/**
 * Network configuration lists (CNI specification 1.1.0, section 1), read as the reference runtime library (libcni)
 * reads them: booleans may be strings, of several versions the highest known one counts, and a single plugin's file of
 * old becomes a list.
 */
import { NetmoorError } from '../../base/errors.ts';
import { validate } from '../../../schemas/compiled/conflist.js';
import type { Conflist } from '../../../schemas/compiled/conflist.js';
import conflistSchema from '../../../schemas/conflist.schema.json' with { type: 'json' };
import type { JsonObject } from '../json.ts';
import { networkNameProblem, pluginTypeProblem } from '../names.ts';
import { quote } from '../quote.ts';
import { schemaProblem } from '../schema-errors.ts';
import { ASSUMED_VERSION, CURRENT_VERSION, SUPPORTED_VERSIONS } from '../versions.ts';
import type { CniVersion } from '../versions.ts';

export interface NetworkList {
  readonly name: string;
  readonly cniVersion: CniVersion;
  readonly disableCheck: boolean;
  readonly disableGC: boolean;
  /** At least one, each with its `type`, in the order of ADD. */
  readonly plugins: readonly JsonObject[];
  /** The file it was read from, or "built in". */
  readonly source: string;
}

/** The network that is there without any configuration; a list of the same name in a directory takes its place. */
export const DEFAULT_NETWORK: NetworkList = {
  name: 'netmoor',
  cniVersion: CURRENT_VERSION,
  disableCheck: false,
  disableGC: false,
  plugins: [{ type: 'bridge-nat', capabilities: { portMappings: true, ips: true, mac: true, dns: true } }],
  source: 'built in',
};

/** A list as written, and whether plugins from the directory named after it are to be appended. */
export interface ReadList {
  readonly list: NetworkList;
  readonly open: boolean;
}

function refuse(problem: string, advice: string): never {
  throw new NetmoorError('bad-config', problem, advice);
}

function isOn(value: boolean | string | undefined): boolean {
  return value === true || value === 'true';
}

/** The switches' strings count in any case. */
function lowered(raw: JsonObject): JsonObject {
  const switches = ['disableCheck', 'disableGC', 'loadOnlyInlinedPlugins'];
  const lower = ([key, value]: [string, JsonObject[string]]): [string, JsonObject[string]] => [
    key,
    switches.includes(key) && typeof value === 'string' ? value.toLowerCase() : value,
  ];
  return Object.fromEntries(Object.entries(raw).map(lower));
}

/** What is newer than this program is passed over when another version is offered. */
function chooseVersion({ cniVersion, cniVersions = [] }: Conflist): CniVersion {
  const offered = [...cniVersions, ...(cniVersion ? [cniVersion] : [])];
  if (offered.length === 0) return ASSUMED_VERSION;
  const malformed = offered.find((version) => !/^\d{1,6}(\.\d{1,6}){0,2}$/.test(version));
  if (malformed !== undefined) refuse(`cniVersion ${quote(malformed)} is no version`, 'write it as "1.0.0"');
  const best = SUPPORTED_VERSIONS.filter((version) => offered.includes(version)).at(-1);
  if (best !== undefined) return best;
  const supported = `supported are ${SUPPORTED_VERSIONS.join(', ')}`;
  throw new NetmoorError(
    'bad-version',
    `cniVersion ${offered.map(quote).join(', ')} is not supported`,
    supported,
  );
}

function checkName(name: string): void {
  const problem = networkNameProblem(name);
  if (problem !== undefined) refuse(`name of the network: ${problem}`, 'choose another name');
}

/** A plugin of a list; `place` names it in messages. Throws 'bad-config'. */
export function checkPlugin(plugin: JsonObject, place: string): JsonObject {
  const { type } = plugin;
  if (type === undefined) refuse(`${place}.type is missing`, 'name the plugin to be run');
  const problem = typeof type === 'string' ? pluginTypeProblem(type) : `${quote(type)} is no string`;
  if (problem !== undefined) refuse(`${place}.type: ${problem}`, 'name a file in the directories of plugins');
  return plugin;
}

/**
 * Reads a *.conflist document; `source` is its file. Without inlined plugins its list is empty: those of the directory
 * named after it follow. Throws NetmoorError 'bad-config' or 'bad-version'.
 */
export function readList(document: JsonObject, source: string): ReadList {
  const raw = lowered(document);
  const input: unknown = raw;
  if (!validate(input)) throw schemaProblem(conflistSchema, validate.errors, raw, '');
  const conflist = input as Conflist;
  checkName(conflist.name);
  const closed = isOn(conflist.loadOnlyInlinedPlugins);
  const { plugins } = raw;
  if (plugins === undefined && closed)
    refuse('loadOnlyInlinedPlugins is set, and there are no plugins', 'add "plugins"');
  if (Array.isArray(plugins) && plugins.length === 0) refuse('the list of plugins is empty', 'add a plugin');
  const inlined = (plugins ?? []) as readonly JsonObject[];
  const list: NetworkList = {
    name: conflist.name,
    cniVersion: chooseVersion(conflist),
    disableCheck: isOn(conflist.disableCheck),
    disableGC: isOn(conflist.disableGC),
    plugins: inlined.map((plugin, index) => checkPlugin(plugin, `plugins[${index}]`)),
    source,
  };
  return { list, open: !closed };
}

/** A single plugin's configuration, of before there were lists, as a list of that plugin. Throws as `readList`. */
export function upconvert(plugin: JsonObject, source: string): NetworkList {
  const { name, cniVersion } = plugin;
  if (name === undefined || name === '') refuse('the network has no name', 'add "name" to the configuration');
  const envelope = { name, ...(cniVersion === undefined ? {} : { cniVersion }), plugins: [plugin] };
  return readList(envelope, source).list;
}

/** The list as a document that reads back as the same one, with all its plugins in it. */
export function writeList({ name, cniVersion, disableCheck, disableGC, plugins }: NetworkList): JsonObject {
  return {
    cniVersion,
    name,
    ...(disableCheck ? { disableCheck } : {}),
    ...(disableGC ? { disableGC } : {}),
    loadOnlyInlinedPlugins: true,
    plugins,
  };
}

/** The plugins' types in order: what the list is, for people. */
export function describeList(list: NetworkList): string {
  return list.plugins.map((plugin) => String(plugin['type'])).join(' + ');
}
