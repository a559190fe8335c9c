/** What was repaired, as the verbs show it. */
import type { Repair } from '../../lib/mooring/repair.ts';
import { containerLabel } from '../attachment-view.ts';

/** One item of `repaired` in schemas/cli-check.schema.json and schemas/cli-repair.schema.json. */
export interface Repaired {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly name?: string;
  /** Differences that are no more. */
  readonly mended: readonly string[];
  /** Why not all could be mended. */
  readonly problem?: string;
}

/** What changed nothing, and failed at nothing, is not told: CHECK names what is left. */
export function repairedOf(repairs: readonly Repair[]): Repaired[] {
  return repairs
    .filter(({ mended, problem }) => mended.length > 0 || problem !== undefined)
    .map(({ record: { network, containerId, ifname, name }, mended, problem }) => ({
      network,
      containerId,
      ifname,
      ...(name === undefined ? {} : { name }),
      mended,
      ...(problem === undefined ? {} : { problem }),
    }));
}

export function formatRepaired(repaired: readonly Repaired[]): string[] {
  return repaired.flatMap((each) => {
    const title = `${containerLabel(each)} ${each.ifname} on ${each.network}:`;
    return [
      `${title} ${each.mended.length > 0 ? 'repaired' : 'not repaired'}`,
      ...each.mended.map((text) => `  it was: ${text}`),
      ...(each.problem === undefined ? [] : [`  failed: ${each.problem}`]),
    ];
  });
}
