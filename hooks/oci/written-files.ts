/** The files that are asked for, with what stands in them. */
import { NetmoorError } from '../../lib/base/errors.ts';
import { containerAddresses } from '../../lib/cni/lists/host-map.ts';
import { combineDns, dnsOn, hostDns, resolvConfText } from '../../lib/cni/resolv-conf.ts';
import type { ContainerFile, HookConfig } from './config.ts';
import { stageContainerFile } from './container-files.ts';
import type { Plan } from './plan.ts';
import { stageResultFiles } from './result-files.ts';
import { discardAll } from './staged-file.ts';
import type { StagedFile } from './staged-file.ts';
import type { Task } from './task.ts';
import { hostnameText, hostsText } from './texts.ts';
import type { NamedResult } from './texts.ts';

function resolvConf(task: Task, config: HookConfig, results: readonly NamedResult[]): string {
  const said = results.map(({ ifname, result }) => dnsOn(ifname, result.dns));
  const [first] = results;
  const asked = first === undefined ? config.dns : dnsOn(first.ifname, config.dns);
  const dns = combineDns([asked, ...said, hostDns(task.world)]);
  if (dns.nameservers !== undefined) return resolvConfText(dns);
  throw new NetmoorError(
    'bad-config',
    'no name server is known for resolv.conf',
    'name one with the option "dns", or in the network\'s configuration',
  );
}

function textOf(
  file: ContainerFile,
  task: Task,
  { config, bundle }: Plan,
  results: readonly NamedResult[],
): string {
  const name = config.hostname ?? bundle?.hostname ?? task.state.id;
  if (file === 'hostname') return hostnameText(name);
  if (file === 'resolv.conf') return resolvConf(task, config, results);
  return hostsText(
    results.flatMap(({ result }) => containerAddresses(result)),
    name,
  );
}

/** Stages everything that is asked for, results and container's files. Throws NetmoorError 'io' or 'bad-config'. */
export function stageFiles(task: Task, plan: Plan, results: readonly NamedResult[]): StagedFile[] {
  const { state } = task;
  const { config, bundle } = plan;
  const staged = stageResultFiles(config, state.bundle, state.id, results);
  try {
    for (const file of config.files) {
      if (bundle === undefined)
        throw new NetmoorError(
          'bad-config',
          `${state.bundle} has no config.json`,
          'take "files" out of the options',
        );
      staged.push(stageContainerFile(file, textOf(file, task, plan, results), bundle, state.id));
    }
    return staged;
  } catch (error) {
    discardAll(staged);
    throw error;
  }
}
