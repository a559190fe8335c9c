/**
 * What is to be attached: the container's namespace, its networks with all they are asked for, found and checked
 * beforehand.
 */
import { NetmoorError } from '../../lib/base/errors.ts';
import type { JsonObject } from '../../lib/cni/json.ts';
import { NAME_ARGUMENT } from '../../lib/cni/lists/host-map.ts';
import type { Attachment } from '../../lib/cni/lists/invoke.ts';
import { findNetworkList } from '../../lib/cni/lists/load.ts';
import { capabilitiesOf } from '../../lib/cni/lists/options.ts';
import type { NamedNetwork } from '../../lib/cni/lists/options.ts';
import { CONFIG_DIRECTORIES } from '../../lib/cni/lists/places.ts';
import type { Plan as Planned } from '../../lib/cni/lists/several.ts';
import type { Dns } from '../../lib/cni/result.ts';
import { readBundle, requireNetworkNamespace } from './bundle.ts';
import type { Bundle } from './bundle.ts';
import { readHookConfig } from './config.ts';
import type { HookConfig } from './config.ts';
import { parseEnvFile } from './env-file.ts';
import { addressOf, findSandbox } from './sandbox.ts';
import type { Address, Sandbox } from './sandbox.ts';
import { pathOf } from './task.ts';
import type { Task } from './task.ts';

/** All that is known before the first plugin runs. */
export interface Plan {
  readonly config: HookConfig;
  readonly bundle: Bundle | undefined;
  readonly sandbox: Sandbox;
  readonly networks: readonly Planned[];
}

/** The variables of all environment files, later ones over earlier ones; undefined when no file is named. */
export function readVariables({
  flags,
  state,
  world,
}: Pick<Task, 'flags' | 'state' | 'world'>): Map<string, string> | undefined {
  if (flags.envFiles.length === 0) return undefined;
  const files = flags.envFiles.map((file) => (file.startsWith('/') ? file : `${state.bundle}/${file}`));
  const read = (file: string): [string, string][] => {
    const content = world.files.read(file);
    if (content === undefined)
      throw new NetmoorError(
        'bad-config',
        `--env-file: there is no ${file}`,
        'write it, or correct the path',
      );
    return [...parseEnvFile(content.toString(), file)];
  };
  return new Map(files.flatMap(read));
}

function dnsCapability(dns: Dns): JsonObject {
  const { nameservers, search, options } = dns;
  if (nameservers === undefined && search === undefined && options === undefined) return {};
  return {
    dns: {
      ...(nameservers && { servers: nameservers }),
      ...(search && { searches: search }),
      ...(options && { options }),
    },
  };
}

function attachmentOf(task: Task, config: HookConfig, sandbox: Address, network: NamedNetwork): Attachment {
  const name: [string, string][] = config.hostname === undefined ? [] : [[NAME_ARGUMENT, config.hostname]];
  return {
    ...sandbox,
    containerId: task.state.id,
    ifname: network.ifname,
    path: pathOf(task),
    args: new Map([...network.args, ...name]),
    capabilities: { ...capabilitiesOf(network), ...dnsCapability(config.dns) },
  };
}

function networksFor(
  task: Task,
  sandbox: Sandbox,
  bundle: Bundle | undefined,
): Pick<Plan, 'config' | 'networks'> {
  const { state, flags, world } = task;
  const config = readHookConfig(state.annotations, flags, readVariables(task));
  const directories = flags.confDirs.length > 0 ? flags.confDirs : CONFIG_DIRECTORIES;
  const address = addressOf(sandbox, bundle?.netns, world);
  const networks = config.networks.map((network) => ({
    list: findNetworkList(network.name, directories, world),
    attachment: attachmentOf(task, config, address, network),
  }));
  return { config, networks };
}

/**
 * Looks at everything and touches nothing; the sandbox is left open. Throws NetmoorError for what must not be attached,
 * and for what is wrong with the options.
 */
export function makePlan(task: Task): Plan {
  const { state, world } = task;
  if (state.pid === undefined) {
    throw new NetmoorError(
      'bad-config',
      'the state names no process to attach',
      'list netmoor-hook under createRuntime',
    );
  }
  const bundle = readBundle(state.bundle, world);
  if (bundle !== undefined) requireNetworkNamespace(bundle);
  const sandbox = findSandbox(state.pid, world);
  try {
    return { bundle, sandbox, ...networksFor(task, sandbox, bundle) };
  } catch (error) {
    world.closeNetns(sandbox.opened);
    throw error;
  }
}
