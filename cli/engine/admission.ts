/** Which requests are for this engine at all. A client that is refused does by itself what it asked for. */
import { parseConfig } from '../../lib/cni/config.ts';
import { isJsonObject } from '../../lib/cni/json.ts';
import { VERSION } from '../../lib/engine/request.ts';
import { refusal } from '../../lib/engine/protocol.ts';
import type { Refusal } from '../../lib/engine/protocol.ts';
import { DHCP_IPAM } from '../../lib/mooring/ipam-type.ts';
import { isLaunched } from './call.ts';
import type { Call, Namespaces, Place } from './call.ts';
import { HOOK } from './programs.ts';

interface Refused {
  readonly refused: Refusal;
}

/** Paths that mean something else in every process, and those that depend on where it is. */
const OF_THE_CALLER = /^(?!\/)|^\/proc\/(self|thread-self)(\/|$)|^\/dev\/(fd|stdin|stdout|stderr)(\/|$)/;

export function otherVersion(theirs: string): Refused {
  return refusal(
    'other-version',
    `the engine is netmoor ${VERSION}, the request is of ${theirs}`,
    '"netmoor engine stop" ends it; the next one is of the version that starts it',
  );
}

/** Flags of the hook that name files, by where they lie for the caller; and what is for people. */
const FILE_OF_THE_CALLER = /^--(env-file|conf-dir|cni-path|state-dir|log)(=(?!\/)|$)|^--help$/;

function pathsOf(environment: Call['environment']): string[] {
  const netns = environment['CNI_NETNS'] ?? '';
  return [netns, ...(environment['CNI_PATH'] ?? '').split(':')].filter((path) => path !== '');
}

/** Its configuration may name another engine (`daemonSocketPath`): the plugin itself asks that one. */
function mayMeanAnother(call: Call): boolean {
  return isLaunched(call) && call.program === DHCP_IPAM && call.stdin.includes('daemonSocketPath');
}

/** Files that a configuration names (schemas/ipam.schema.json); of one that makes no sense, none. */
function filesIn({ stdin }: Call): string[] {
  if (!['dataDir', 'resolvConf'].some((key) => stdin.includes(key))) return [];
  try {
    const { ipam } = parseConfig(stdin);
    const named = isJsonObject(ipam) ? [ipam['dataDir'], ipam['resolvConf']] : [];
    return named.filter((file) => typeof file === 'string' && file !== '') as string[];
  } catch {
    return [];
  }
}

/** The configuration's files only for a launcher, which does by itself what is refused. */
function namedBy(call: Call): string[] {
  return [...pathsOf(call.environment), ...(isLaunched(call) ? filesIn(call) : [])];
}

function callerOnly(call: Call): Refused | undefined {
  const { program, args } = call;
  if (mayMeanAnother(call))
    return refusal('caller-only', 'the configuration names an engine', 'ask that one');
  const own =
    program === HOOK
      ? args.find((argument) => FILE_OF_THE_CALLER.test(argument))
      : namedBy(call).find((path) => OF_THE_CALLER.test(path));
  if (own === undefined) return undefined;
  return refusal(
    'caller-only',
    `${JSON.stringify(own)} has a meaning for the caller alone`,
    'name it otherwise',
  );
}

const WHERE: Readonly<Record<keyof Place, string>> = {
  netns: 'network namespace',
  mntns: 'mount namespace',
  pidns: 'pid namespace',
  userns: 'user namespace',
  root: 'root directory',
};

function elsewhere(kind: keyof Place): Refused {
  return refusal(
    'other-namespace',
    `the engine works in another ${WHERE[kind]} than its caller`,
    'start one there, with a /run of its own',
  );
}

/**
 * Where a client has to be for what it asks. To end the engine it need not see the same network and files: `ip netns
 * exec` and "netmoor engine stop" go together. A plugin that asks for DHCP leases cannot do that itself, and names
 * nothing but a namespace: after chroot(2) it is served as before.
 */
const SAME: Readonly<Record<'launcher' | 'plugin' | 'stop', readonly (keyof Place)[]>> = {
  launcher: ['netns', 'mntns', 'pidns', 'userns', 'root'],
  plugin: ['netns', 'mntns', 'pidns', 'userns'],
  stop: ['pidns', 'userns'],
};

/**
 * Undefined for a client that may ask for what it asks: one who is where we are. `theirs`: where it is by the kernel's
 * account, undefined when nobody knows.
 */
export function notFromHere(
  theirs: Place | undefined,
  ours: Place,
  what: keyof typeof SAME,
): Refused | undefined {
  if (theirs === undefined) return elsewhere('pidns');
  const other = SAME[what].find((kind) => theirs[kind] !== ours[kind]);
  return other === undefined ? undefined : elsewhere(other);
}

/** Undefined for a request that is to be done. */
export function notForUs(call: Call, ours: Namespaces): Refused | undefined {
  if (call.version !== VERSION) return otherVersion(call.version);
  const kinds = Object.keys(ours) as (keyof Namespaces)[];
  const other = kinds.find((kind) => (call.namespaces[kind] ?? ours[kind]) !== ours[kind]);
  return other === undefined ? callerOnly(call) : elsewhere(other);
}
