/** Which requests are for this engine at all. A client that is refused does by itself what it asked for. */
import { VERSION } from '../../lib/engine/request.ts';
import { refusal } from '../../lib/engine/protocol.ts';
import type { PluginRequest, Refusal } from '../../lib/engine/protocol.ts';

export interface Namespaces {
  readonly netns: string;
  readonly mntns: string;
}

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

function callerOnly(environment: PluginRequest['environment']): Refused | undefined {
  const netns = environment['CNI_NETNS'] ?? '';
  const paths = [netns, ...(environment['CNI_PATH'] ?? '').split(':')].filter((path) => path !== '');
  const own = paths.find((path) => OF_THE_CALLER.test(path));
  if (own === undefined) return undefined;
  return refusal(
    'caller-only',
    `${JSON.stringify(own)} has a meaning for the caller alone`,
    'name it otherwise',
  );
}

/** Undefined for a request that is to be done. */
export function notForUs(request: PluginRequest, { netns, mntns }: Namespaces): Refused | undefined {
  if (request.version !== VERSION) return otherVersion(request.version);
  const other = request.netns !== netns ? 'network' : request.mntns !== mntns ? 'mount' : undefined;
  if (other !== undefined)
    return refusal(
      'other-namespace',
      `the engine works in another ${other} namespace than its caller`,
      'start one in that namespace, with a /run of its own',
    );
  return callerOnly(request.environment);
}
