/** The `netmoor` command in a private host, its JSON held against its schema. */
import type { AttachmentView } from '../../cli/attachment-view.ts';
import type { DhcpLeaseView } from '../../cli/dhcp-view.ts';
import type { Collection } from '../../cli/gc/garbage.ts';
import type { Topology } from '../../cli/drawing/topology.ts';
import type { LeaseView } from '../../cli/verbs/leases.ts';
import type { NetworkView } from '../../cli/network-views.ts';
import type { ImportView } from '../../cli/verbs/import.ts';
import type { MigrationView } from '../../cli/verbs/network.ts';
import type { CheckView } from '../../cli/verbs/check.ts';
import type { RepairView } from '../../cli/verbs/repair.ts';
import type { SubnetUsage } from '../../cli/usage.ts';
import { OWN_PLUGINS } from './harness-cni.ts';
import type { Host } from './harness.ts';

export const NETMOOR = `${OWN_PLUGINS}/netmoor`;

interface Views {
  readonly ls: readonly AttachmentView[];
  readonly leases: {
    readonly leases: readonly LeaseView[];
    readonly usage: readonly SubnetUsage[];
    readonly dhcp: readonly DhcpLeaseView[];
  };
  readonly networks: readonly NetworkView[];
  readonly show: Topology;
  readonly check: CheckView;
  readonly repair: RepairView;
  readonly gc: Collection;
  readonly network: MigrationView;
  readonly import: ImportView;
}

/** Runs a verb; exit code and words. */
export async function netmoor(
  host: Host,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await host.run([NETMOOR, ...args]);
  return { code, out: stdout, err: stderr };
}

interface Validator {
  (value: unknown): boolean;
  errors?: readonly object[] | null;
}

/** The answer of a verb, and whether it was yes. Throws when it is not of its schema. */
export async function asked<V extends keyof Views>(
  host: Host,
  verb: V,
  ...args: string[]
): Promise<{ yes: boolean; view: Views[V] }> {
  const { code, out, err } = await netmoor(host, verb, '--json', ...args);
  if (out === '') throw new Error(`netmoor ${verb}: exit ${code}\n${err}`);
  const view: unknown = JSON.parse(out);
  const { validate } = (await import(`../../schemas/compiled/cli-${verb}.js`)) as { validate: Validator };
  if (!validate(view)) throw new Error(`netmoor ${verb}: ${JSON.stringify(validate.errors)} in ${out}`);
  return { yes: code === 0, view: view as Views[V] };
}

/** What a verb says that does not do its work (schemas/cli-error.schema.json), and its exit status. */
export interface Refusal {
  readonly exit: number;
  readonly code: number;
  /** What failed, and what to do about it. */
  readonly text: string;
}

/** Runs a verb that must fail, with --json. Throws when what it says is not of the schema. */
export async function refused(host: Host, verb: string, ...args: string[]): Promise<Refusal> {
  const outcome = await netmoor(host, verb, '--json', ...args);
  const { validate } = (await import('../../schemas/compiled/cli-error.js')) as { validate: Validator };
  const error = JSON.parse(outcome.out) as { code: number; msg: string; details: string };
  if (!validate(error))
    throw new Error(`netmoor ${verb}: exit ${outcome.code}\n${outcome.out}${outcome.err}`);
  return { exit: outcome.code, code: error.code, text: `${error.msg}\n${error.details}` };
}

/** The networks on record: those in use, and those whose subnets are remembered. */
export async function recorded(host: Host): Promise<NetworkView[]> {
  return (await asked(host, 'networks')).view.filter(({ createdAt }) => createdAt !== undefined);
}
