/** netmoor attach: gives a network namespace its networks. */
import { resolve } from 'node:path';
import { UndoStack } from '../../lib/base/undo.ts';
import { AddressError, parseAddress } from '../../lib/base/ip.ts';
import { encodeResult } from '../../lib/cni/encode-result.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { DEFAULT_NETWORK } from '../../lib/cni/lists/load.ts';
import { readIfname, readIp, readMac, readNetwork, readPorts } from '../../lib/cni/lists/options.ts';
import type { WantedNetwork } from '../../lib/cni/lists/options.ts';
import { CONFIG_DIRECTORIES, PLUGIN_PATH } from '../../lib/cni/lists/places.ts';
import type { Attached } from '../../lib/cni/lists/several.ts';
import { describePublished, portsJson } from '../../lib/cni/port-mappings.ts';
import type { CniResult } from '../../lib/cni/result.ts';
import type { World } from '../../lib/cni/world.ts';
import { publishedPorts } from '../../lib/mooring/free-ports.ts';
import { noteStore } from '../../ipam/store/known.ts';
import { pluginsOf } from '../../plugins/kinds.ts';
import { applyDns } from '../attached-dns.ts';
import { attach, raiseLoopback } from '../attaching.ts';
import type { Container, Surroundings } from '../attaching.ts';
import { createNetns, withNetnsName } from '../netns-name.ts';
import { formatTable } from '../table.ts';
import {
  checkContainerId,
  deriveContainerId,
  netnsPath,
  readPid,
  requireOne,
  sandboxAt,
  sandboxOf,
} from '../target.ts';
import { UsageError } from '../verb.ts';
import type { Option, Report, Verb, VerbContext } from '../verb.ts';

type Values = VerbContext['values'];

/** What both verbs take. */
export const PATH_OPTIONS: readonly Option[] = [
  {
    name: 'cni-path',
    value: 'DIRS',
    repeated: true,
    about: `where plugins of others are, default ${PLUGIN_PATH.join(':')}`,
  },
];

const OPTIONS: readonly Option[] = [
  { name: 'netns', value: 'PATH|NAME', about: 'the namespace at PATH, or of that NAME (ip netns)' },
  { name: 'pid', value: 'PID', about: 'the namespace that process PID is in' },
  { name: 'create', value: 'NAME', about: 'the namespace of that NAME, made if there is none' },
  {
    name: 'id',
    value: 'ID',
    about: "the container's id; default: the name of the namespace, or made of its inode",
  },
  { name: 'name', value: 'NAME', about: 'what people call the container; default: its id' },
  {
    name: 'ifname',
    value: 'IFNAME',
    about: 'interface in the container; default: the first free one of eth0, eth1, …',
  },
  { name: 'ip', value: 'ADDRESS', repeated: true, about: 'a fixed address' },
  { name: 'mac', value: 'MAC', about: 'a fixed hardware address' },
  {
    name: 'port',
    value: 'PORTS',
    repeated: true,
    about:
      '8080:80, 127.0.0.1:53:53/udp, [2001:db8::2]:80:80, 8000-8010:9000-9010; 80 or 127.0.0.1::80: a free port ' +
      '(1024 of those at most)',
  },
  {
    name: 'dns',
    value: 'ADDRESS',
    repeated: true,
    about: 'a name server, for /etc/netns/NAME/resolv.conf of a namespace with a name, and for the networks',
  },
  { name: 'dns-search', value: 'DOMAIN', repeated: true, about: 'a search domain' },
  { name: 'dns-option', value: 'OPTION', repeated: true, about: 'an option of resolv.conf(5)' },
  {
    name: 'root',
    value: 'DIR',
    about: 'the root directory of the container: its etc/resolv.conf is written when name servers are known',
  },
  {
    name: 'conf-dir',
    value: 'DIR',
    repeated: true,
    about: `where networks are defined, default ${CONFIG_DIRECTORIES.join(', ')}`,
  },
  ...PATH_OPTIONS,
];

function one(values: Values, name: string): string | undefined {
  return values.get(name)?.[0];
}

function many(values: Values, name: string): readonly string[] {
  return values.get(name) ?? [];
}

/** Where plugins of others are looked for, as --cni-path says. */
export function pluginPath(values: Values): readonly string[] {
  const given = many(values, 'cni-path').flatMap((list) => list.split(':'));
  const directories = given.filter((directory) => directory !== '');
  return directories.length > 0 ? directories : PLUGIN_PATH;
}

/** The lease store of --data-dir is one that "netmoor gc" must know of. */
function withStore(world: World, dataDir: string | undefined): World {
  if (dataDir === undefined) return world;
  const storeDirectory = resolve(dataDir);
  noteStore(storeDirectory);
  return { ...world, storeDirectory };
}

/** What a verb's context says about plugins and configurations. */
export function surroundings({
  world,
  dataDir,
  values,
  environment,
  kinds,
  note,
}: VerbContext): Surroundings {
  const confDirs = many(values, 'conf-dir');
  return {
    world: withStore(world, dataDir),
    ours: pluginsOf(kinds),
    confDirs: confDirs.length > 0 ? confDirs : CONFIG_DIRECTORIES,
    path: pluginPath(values),
    environment,
    note,
  };
}

/** Options outside NETWORK are those of the first network. */
function wantedNetworks(operands: readonly string[], values: Values): WantedNetwork[] {
  const named = operands.length > 0 ? operands : [DEFAULT_NETWORK.name];
  const [first, ...others] = named.map((text) => readNetwork(text, 'network'));
  if (first === undefined) return [];
  const ifname = one(values, 'ifname');
  const mac = one(values, 'mac');
  const ports = many(values, 'port').join(',');
  const both = (name: string, twice: boolean): void => {
    if (twice)
      throw new UsageError(
        `--${name} and ${name}= of network ${first.name} exclude each other`,
        'give one of them',
      );
  };
  both('ifname', ifname !== undefined && first.ifname !== undefined);
  both('mac', mac !== undefined && first.mac !== undefined);
  const completed: WantedNetwork = {
    ...first,
    ...(ifname === undefined ? {} : { ifname: readIfname(ifname, '--ifname') }),
    ...(mac === undefined ? {} : { mac: readMac(mac, '--mac') }),
    ips: [...many(values, 'ip').map((text) => readIp(text, '--ip')), ...first.ips],
    ports: [...(ports === '' ? [] : readPorts(ports, '--port')), ...first.ports],
  };
  return [completed, ...others];
}

function readServer(text: string): string {
  try {
    parseAddress(text);
    return text;
  } catch (error) {
    if (error instanceof AddressError)
      throw new UsageError(`--dns: ${error.message}`, 'name servers are given by address');
    throw error;
  }
}

function checkWord(name: string, text: string): string {
  if (/^[\x21-\x7e]{1,253}$/.test(text)) return text;
  throw new UsageError(
    `--${name} ${JSON.stringify(text.slice(0, 80))} is no single word`,
    'give one at a time',
  );
}

function checkRoot(root: string | undefined): string | undefined {
  if (root === undefined || root.startsWith('/')) return root;
  throw new UsageError(`--root ${JSON.stringify(root)} is not absolute`, 'begin it with "/"');
}

/** The capability `dns` (CNI CONVENTIONS.md). */
function dnsCapability(values: Values): JsonObject {
  const members = {
    servers: many(values, 'dns').map(readServer),
    searches: many(values, 'dns-search').map((text) => checkWord('dns-search', text)),
    options: many(values, 'dns-option').map((text) => checkWord('dns-option', text)),
  };
  return Object.fromEntries(Object.entries(members).filter(([, list]) => list.length > 0));
}

function checkName(name: string | undefined): string | undefined {
  if (name === undefined || /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}$/.test(name)) return name;
  throw new UsageError(
    `--name ${JSON.stringify(name.slice(0, 80))} is no name`,
    'use letters, digits, "_", "." and "-"',
  );
}

function checkCreate(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  if (name.length > 153 || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    throw new UsageError(
      `--create ${JSON.stringify(name.slice(0, 80))} is no name for a namespace`,
      'use letters, digits, "_", "." and "-"',
    );
  }
  return name;
}

function findContainer({ values, world }: VerbContext, undo: UndoStack): Container {
  const [netns, pid, create] = [one(values, 'netns'), one(values, 'pid'), one(values, 'create')];
  requireOne({ netns, pid, create });
  const [id, name, dns] = [one(values, 'id'), checkName(one(values, 'name')), dnsCapability(values)];
  if (id !== undefined) checkContainerId(id);
  const sandbox =
    pid !== undefined
      ? sandboxOf(readPid(pid), world)
      : sandboxAt(
          create === undefined
            ? netnsPath(netns ?? '')
            : createNetns(create, world, undo, (path) => raiseLoopback(path, world)),
          world,
        );
  const containerId = id ?? deriveContainerId(sandbox.netns, sandbox.netnsId);
  return { ...sandbox, containerId, name: name ?? containerId, dns };
}

/** The addresses of the network's own interface in the container. */
function addressesOf({ ips, interfaces }: CniResult, ifname: string): CniResult['ips'] {
  const own = ips.filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.name === ifname);
  return own.length > 0 ? own : ips;
}

function rowOf(attached: Attached): readonly (string | readonly string[])[] {
  const { list, attachment, result } = attached;
  const { ifname } = attachment;
  const ips = addressesOf(result, ifname);
  const mac = result.interfaces.find((item) => item.name === ifname && item.sandbox !== undefined)?.mac ?? '';
  return [
    list.name,
    ifname,
    ips.map(({ address }) => address),
    ips.map(({ gateway }) => gateway ?? '-'),
    mac,
    publishedPorts(attached).map(describePublished),
  ];
}

function jsonOf(attached: Attached): object {
  const { list, attachment, result } = attached;
  const ports = publishedPorts(attached);
  const { containerId, ifname, netns } = attachment;
  return {
    network: list.name,
    containerId,
    ifname,
    netns,
    ...(ports.length > 0 ? { ports: portsJson(ports) } : {}),
    result: encodeResult(result, list.cniVersion),
  };
}

/** Ports only where there are any. */
function formatAttached(attached: readonly Attached[]): string {
  const headings = ['NETWORK', 'INTERFACE', 'ADDRESS', 'GATEWAY', 'MAC', 'PORTS'];
  const width = attached.some((each) => publishedPorts(each).length > 0)
    ? headings.length
    : headings.length - 1;
  return formatTable(
    headings.slice(0, width),
    attached.map((each) => rowOf(each).slice(0, width)),
  );
}

async function attachTo(context: VerbContext, wanted: readonly WantedNetwork[]): Promise<Report> {
  const root = checkRoot(one(context.values, 'root'));
  const undo = new UndoStack();
  try {
    const container = findContainer(context, undo);
    try {
      const attached = await attach(container, wanted, surroundings(context));
      applyDns(container, attached, { ...context, root });
      return { json: attached.map(jsonOf), text: () => formatAttached(attached) };
    } finally {
      context.world.closeNetns(container.opened);
    }
  } catch (error) {
    for (const { what } of undo.run()) context.note(`could not ${what}`);
    throw error;
  }
}

export const verb: Verb = {
  about:
    'Attaches a network namespace to the networks named, all of them or none; to the network "netmoor", which ' +
    'needs no configuration, when none is named. A network may carry its own options: ' +
    'NETWORK:ifname=eth1,ip=10.1.0.5,mac=…,port=2222:22; --ifname, --ip, --mac and --port are those of the first ' +
    'network.',
  operand: '[NETWORK…]',
  manyOperands: true,
  options: OPTIONS,
  async run(context) {
    const wanted = wantedNetworks(context.operands, context.values);
    const created = checkCreate(one(context.values, 'create'));
    return withNetnsName(created, context.world, () => attachTo(context, wanted));
  },
};
