/**
 * The plugins of the reference's chain that bridge-nat does the work of: which of their keys are its own, too. One that
 * says something bridge-nat does not know stays in the list, behind us, and goes on doing it itself.
 */
import { isJsonObject } from '../../lib/cni/json.ts';
import type { Json, JsonObject } from '../../lib/cni/json.ts';
import { quote } from '../../lib/cni/quote.ts';
import { isComment, isEnvelope, requireType, respelt, sameJson } from './keys.ts';
import type { Tell } from './telling.ts';

interface Absorbable {
  /** Keys that mean the same with bridge-nat, under the same name. */
  readonly keys: readonly string[];
  /** Keys that nothing is left to do for, and why. */
  readonly without: Readonly<Record<string, string>>;
  /** What a key is when it is not written: written so, it says nothing. */
  readonly defaults: Readonly<Record<string, Json>>;
  /** Each of its keys is a thing of its own, so that some may move and others stay. */
  readonly divisible?: boolean;
  /** A key of bridge-nat that stands for the plugin itself: true, or an object with those of its keys that it has. */
  readonly as?: string;
}

/** The keys of bridge-nat, and those within them where one is an object. */
export type Known = ReadonlyMap<string, readonly string[]>;

const NO_IPTABLES = 'netmoor has its own nftables table, and opens chains of the host that drop';

const ABSORBABLE: Readonly<Record<string, Absorbable>> = {
  portmap: {
    keys: [
      'snat',
      'masqAll',
      'conditionsV4',
      'conditionsV6',
      'backend',
      'markMasqBit',
      'externalSetMarkChain',
    ],
    without: {},
    defaults: { snat: true, masqAll: false, conditionsV4: [], conditionsV6: [], backend: '' },
  },
  firewall: {
    keys: ['ingressPolicy', 'firewalldZone', 'iptablesAdminChainName'],
    without: { backend: NO_IPTABLES },
    // "open" that is said lets other networks in, "open" that is not said need not.
    defaults: { firewalldZone: '', iptablesAdminChainName: '' },
  },
  bandwidth: {
    keys: ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst'],
    without: {},
    defaults: {},
  },
  tuning: {
    keys: ['sysctl', 'mac', 'mtu', 'promisc', 'allmulti', 'txQLen'],
    without: { dataDir: 'nothing has to be put back: what was tuned goes with the interface' },
    defaults: { mac: '', mtu: 0, promisc: false, allmulti: false, txQLen: 0, sysctl: {} },
    divisible: true,
  },
  sbr: { keys: [], without: {}, defaults: {}, as: 'sbr' },
};

/** What is said with this key, or does not have to be. */
function saysNothing(key: string, value: Json, { defaults, without }: Absorbable): boolean {
  return Object.hasOwn(without, key) || (Object.hasOwn(defaults, key) && sameJson(defaults[key], value));
}

/** Whether bridge-nat has the key, and nothing else in it yet. */
function hasRoom(main: JsonObject, key: string, value: Json, known: Known): boolean {
  return known.has(key) && (main[key] === undefined || sameJson(main[key], value));
}

/** The part of `sysctl` that is of the network, and the rest. */
function divideSysctl(value: Json): readonly [JsonObject, JsonObject] {
  const entries = Object.entries(isJsonObject(value) ? value : {});
  const isNet = ([name]: readonly [string, Json]): boolean => /^net[./]/.test(name);
  return [Object.fromEntries(entries.filter(isNet)), Object.fromEntries(entries.filter((e) => !isNet(e)))];
}

interface Division {
  readonly moved: JsonObject;
  /** Into the key that stands for the plugin. */
  readonly within: JsonObject;
  readonly dropped: readonly string[];
  /** What bridge-nat has no place for. */
  readonly stays: JsonObject;
}

function divide(plugin: JsonObject, how: Absorbable, main: JsonObject, known: Known): Division {
  const moved: Record<string, Json> = {};
  const within: Record<string, Json> = {};
  const inner = (how.as === undefined ? undefined : known.get(how.as)) ?? [];
  const stays: Record<string, Json> = {};
  const dropped: string[] = [];
  for (const [key, value] of Object.entries(plugin)) {
    if (isEnvelope(key) || isComment(key) || key === 'capabilities') continue;
    const fits = how.keys.includes(key) && hasRoom(main, key, value, known);
    if (key === 'sysctl' && fits) {
      const [net, rest] = divideSysctl(value);
      if (Object.keys(net).length > 0) moved[key] = net;
      if (Object.keys(rest).length > 0) stays[key] = rest;
    } else if (fits && !saysNothing(key, value, how)) moved[key] = value;
    else if (saysNothing(key, value, how)) dropped.push(key);
    else if (inner.includes(key)) within[key] = value;
    else stays[key] = value;
  }
  return { moved, within, dropped, stays };
}

/** Comments go along; one that is there already under that name stays beside it. */
function withComments(main: JsonObject, plugin: JsonObject): JsonObject {
  const entries = Object.entries(plugin).filter(([key]) => isComment(key));
  const named = entries.map(([key, value]) => {
    const free = main[key] === undefined || sameJson(main[key], value);
    return [free ? key : `_${String(plugin['type'])} ${key}`, value] as const;
  });
  return { ...main, ...Object.fromEntries(named) };
}

const CAPABILITIES = 'object of true and false';

function withCapabilities(main: JsonObject, plugin: JsonObject, tell: Tell): JsonObject {
  requireType(String(plugin['type']), plugin, 'capabilities', CAPABILITIES);
  requireType('bridge', main, 'capabilities', CAPABILITIES);
  const { capabilities } = plugin;
  if (!isJsonObject(capabilities)) return main;
  const wanted = Object.entries(capabilities).filter(([, on]) => on === true);
  const own = isJsonObject(main['capabilities']) ? main['capabilities'] : {};
  for (const [name] of wanted)
    tell({
      plugin: String(plugin['type']),
      key: `capabilities.${name}`,
      change: 'moved',
      text: 'bridge-nat is asked for it',
    });
  return wanted.length === 0 ? main : { ...main, capabilities: { ...own, ...Object.fromEntries(wanted) } };
}

function tellOf(type: string, { moved, dropped }: Division, { without }: Absorbable, tell: Tell): void {
  for (const key of Object.keys(moved))
    tell({ plugin: type, key, change: 'moved', text: 'a key of bridge-nat' });
  for (const key of dropped)
    tell({ plugin: type, key, change: 'dropped', text: without[key] ?? 'says what is so anyway' });
}

/** Main plugin, and what is left of the other: undefined when all of it went in. */
export interface Absorption {
  readonly main: JsonObject;
  readonly left: JsonObject | undefined;
}

function left(type: string, key: string | undefined, text: string, tell: Tell): void {
  tell({ plugin: type, ...(key === undefined ? {} : { key }), change: 'left', text });
}

export function absorb(main: JsonObject, written: JsonObject, known: Known, tell: Tell): Absorption {
  const type = String(written['type']);
  const how = Object.hasOwn(ABSORBABLE, type) ? ABSORBABLE[type] : undefined;
  if (how === undefined) {
    left(type, undefined, 'runs after bridge-nat, as it is', tell);
    return { main, left: written };
  }
  const inner = (how.as === undefined ? undefined : known.get(how.as)) ?? [];
  const plugin = respelt(written, [...how.keys, ...inner, ...Object.keys(how.without), 'capabilities'], tell);
  if (type === 'tuning') requireType(type, plugin, 'sysctl', 'object');
  for (const key of Object.keys(how.without)) requireType(type, plugin, key, 'string');
  const division = divide(plugin, how, main, known);
  const [staying] = Object.keys(division.stays);
  const homeless = how.as !== undefined && !known.has(how.as);
  if (homeless || (staying !== undefined && how.divisible !== true)) {
    const why = homeless ? 'bridge-nat does not do it' : `bridge-nat has no place for ${quote(staying)}`;
    left(type, staying, `${why}: the plugin runs after it, as it is`, tell);
    return { main, left: written };
  }
  tellOf(type, division, how, tell);
  const { within } = division;
  const itself: Json = Object.keys(within).length > 0 ? within : true;
  if (how.as !== undefined)
    tell({ plugin: type, change: 'moved', text: `"${how.as}": ${JSON.stringify(itself)}` });
  else tell({ plugin: type, change: staying === undefined ? 'moved' : 'left', text: divided(staying) });
  const grown = { ...withComments(main, plugin), ...division.moved, ...(how.as ? { [how.as]: itself } : {}) };
  const next = withCapabilities(grown, plugin, tell);
  return { main: next, left: staying === undefined ? undefined : { type, ...division.stays } };
}

function divided(staying: string | undefined): string {
  return staying === undefined
    ? 'bridge-nat does its work'
    : `stays for ${staying}, which bridge-nat has no place for`;
}
