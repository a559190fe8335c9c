/** A network of the reference's plugins rewritten for ours. Pure. */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { readList, upconvert } from '../../lib/cni/lists/list.ts';
import type { NetworkList } from '../../lib/cni/lists/list.ts';
import { absorb } from './absorbed.ts';
import { KNOWN, migrateBridge } from './bridge.ts';
import { migrateMacvlan } from './macvlan.ts';
import { tellMeanings } from './meaning.ts';
import type { Change, Tell } from './telling.ts';

export interface Migration {
  /** What is to be in the file: the very document when nothing changes. */
  readonly document: JsonObject;
  readonly changes: readonly Change[];
  readonly changed: boolean;
}

type MainPlugin = (plugin: JsonObject, network: string, tell: Tell) => JsonObject;

const MAIN: Readonly<Record<string, MainPlugin>> = {
  bridge: migrateBridge,
  macvlan: migrateMacvlan,
  // Migrated by hand, perhaps with plugins of the chain left behind.
  'bridge-nat': (plugin) => plugin,
  'macvlan-v6': (plugin) => plugin,
};

/** A document of either kind as the list that libcni makes of it. Throws NetmoorError. */
export function listOf(document: JsonObject, file: string): NetworkList {
  return document['plugins'] === undefined && document['type'] !== undefined
    ? upconvert(document, file)
    : readList(document, file).list;
}

function refuse(message: string, advice: string): never {
  throw new NetmoorError('bad-config', message, advice);
}

interface Place {
  readonly index: number;
  readonly rewrite: MainPlugin;
}

/** Throws 'bad-config' when no plugin of the list is one that ours takes the place of. */
function findMain({ plugins }: NetworkList, file: string): Place {
  const places = plugins.flatMap((plugin, index): Place[] => {
    const type = String(plugin['type']);
    const rewrite = Object.hasOwn(MAIN, type) ? MAIN[type] : undefined;
    return rewrite === undefined ? [] : [{ index, rewrite }];
  });
  const [main, another] = places;
  const types = plugins.map(({ type }) => String(type)).join(', ');
  if (main === undefined)
    refuse(
      `${file}: none of its plugins (${types || 'there are none'}) is one that netmoor takes the place of`,
      'bridge becomes bridge-nat, macvlan becomes macvlan-v6; others are not touched',
    );
  if (another !== undefined)
    refuse(`${file}: it has several main plugins (${types})`, 'give each a network of its own');
  return main;
}

interface Rewritten {
  readonly main: JsonObject;
  readonly behind: readonly JsonObject[];
}

/** What a list of ours that stays declares no longer: two would do the same. */
function withoutDouble(main: JsonObject, behind: readonly JsonObject[], tell: Tell): JsonObject {
  const { capabilities } = main;
  const portmap = behind.some(({ type }) => type === 'portmap');
  if (!portmap || typeof capabilities !== 'object' || capabilities === null || Array.isArray(capabilities))
    return main;
  const { portMappings, ...rest } = capabilities as JsonObject;
  if (portMappings !== true) return main;
  tell({
    plugin: 'bridge',
    key: 'capabilities.portMappings',
    change: 'dropped',
    text: 'portmap, which is left behind us, publishes the ports',
  });
  return { ...main, capabilities: rest };
}

function rewriteBehind(rewritten: JsonObject, behind: readonly JsonObject[], tell: Tell): Rewritten {
  if (rewritten['type'] !== 'bridge-nat') {
    for (const { type } of behind)
      tell({ plugin: String(type), change: 'left', text: 'runs after macvlan-v6, as it is' });
    return { main: rewritten, behind };
  }
  let main = rewritten;
  const left: JsonObject[] = [];
  for (const plugin of behind) {
    const absorption = absorb(main, plugin, KNOWN, tell);
    main = absorption.main;
    if (absorption.left !== undefined) left.push(absorption.left);
  }
  return { main: withoutDouble(main, left, tell), behind: left };
}

/** `file` is for messages. Throws NetmoorError for what is no network, or none of the reference's. */
export function migrate(document: JsonObject, file: string): Migration {
  const list = listOf(document, file);
  const { index, rewrite } = findMain(list, file);
  const changes: Change[] = [];
  const tell: Tell = (change) => void changes.push(change);
  const former = list.plugins[index] ?? {};
  const first = rewrite(former, list.name, tell);
  const { main, behind } = rewriteBehind(first, list.plugins.slice(index + 1), tell);
  const plugins = [...list.plugins.slice(0, index), main, ...behind];
  const single = document['plugins'] === undefined;
  const next = single ? main : { ...document, plugins };
  const changed = JSON.stringify(next) !== JSON.stringify(document);
  const types = list.plugins.map(({ type }) => String(type));
  if (changed && main['type'] === 'bridge-nat' && former['type'] === 'bridge')
    tellMeanings(main, types, KNOWN, tell);
  return { document: changed ? next : document, changes: changed ? changes : [], changed };
}
