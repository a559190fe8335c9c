/** netmoor repair: puts back what is missing on the host; for people, and for units and scripts that load firewalls. */
import { formatRepaired } from '../repair/view.ts';
import type { Repaired } from '../repair/view.ts';
import { containerLabel } from '../attachment-view.ts';
import type { Verb } from '../verb.ts';
import { WAIT_FOR_WAY_OUT, waitsForWayOut } from '../verification.ts';
import type { Verdict } from '../verification.ts';
import { examine } from './check.ts';

/** schemas/cli-repair.schema.json */
export interface RepairView {
  /** All that lives is as it was promised, by now. */
  readonly ok: boolean;
  readonly repaired: readonly Repaired[];
  /** What is not as promised still. */
  readonly left: readonly Verdict[];
  /** What could not be looked at: stores. */
  readonly failures: readonly string[];
}

function adviceOn(verdict: Verdict): string {
  if (verdict.stale) return '"netmoor gc" clears it away';
  if (waitsForWayOut(verdict)) return WAIT_FOR_WAY_OUT;
  return (
    'attach it again: "netmoor detach", then "netmoor attach"; of podman: ' +
    `"podman network reload ${containerLabel(verdict)}"; of other runtimes: restart the container`
  );
}

function formatLeft(verdict: Verdict): string[] {
  const { network, ifname, differences } = verdict;
  const label = containerLabel(verdict);
  return [
    `${label} ${ifname} on ${network}: not as promised`,
    ...differences.map((text) => `  ${text}`),
    `  ${adviceOn(verdict)}`,
  ];
}

export function formatRepair({ repaired, left, failures }: RepairView): string {
  const lines = [...formatRepaired(repaired), ...left.flatMap(formatLeft), ...failures];
  return lines.map((line) => `${line}\n`).join('');
}

export const verb: Verb = {
  about:
    'Puts back what was changed on the host behind its back, for all attachments or those of one container or ' +
    'network: nftables tables, published ports and NAT, the way through the firewalls of the host, forwarding, bridges, ' +
    'their addresses and ports, bandwidth limits. What is as it should be is not touched, and connections go on. ' +
    'Says nothing when there is nothing to do; names what is left, and what helps. Exit code 1 when something that ' +
    'lives is not as promised still.',
  operand: '[CONTAINER|NETWORK]',
  options: [],
  async run(context) {
    const { view, failures: failed } = await examine(context, { mend: true, configured: false });
    const left = view.attachments.filter(({ differences }) => differences.length > 0);
    const failures = [...failed, ...view.store];
    const ok = failures.length === 0 && left.every(({ stale }) => stale === true);
    const report: RepairView = { ok, repaired: view.repaired ?? [], left, failures };
    return { json: report, text: () => formatRepair(report), failed: !ok };
  },
};
