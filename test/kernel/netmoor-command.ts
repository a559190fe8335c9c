/** The `netmoor` command in a private host, its JSON held against its schema. */
import type { AttachmentView } from '../../cli/attachment-view.ts';
import type { Collection } from '../../cli/gc/garbage.ts';
import type { Topology } from '../../cli/drawing/topology.ts';
import type { LeaseView } from '../../cli/verbs/leases.ts';
import type { NetworkView } from '../../cli/network-views.ts';
import type { CheckView } from '../../cli/verbs/check.ts';
import type { SubnetUsage } from '../../cli/usage.ts';
import { OWN_PLUGINS } from './harness-cni.ts';
import type { Host } from './harness.ts';

export const NETMOOR = `${OWN_PLUGINS}/netmoor`;

interface Views {
  readonly ls: readonly AttachmentView[];
  readonly leases: { readonly leases: readonly LeaseView[]; readonly usage: readonly SubnetUsage[] };
  readonly networks: readonly NetworkView[];
  readonly show: Topology;
  readonly check: CheckView;
  readonly gc: Collection;
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

/** The networks on record: those in use, and those whose subnets are remembered. */
export async function recorded(host: Host): Promise<NetworkView[]> {
  return (await asked(host, 'networks')).view.filter(({ createdAt }) => createdAt !== undefined);
}
