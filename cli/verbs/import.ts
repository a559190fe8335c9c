/** netmoor import host-local: takes over containers that the reference's plugins have attached, while they run. */
import { existsSync } from 'node:fs';
import { NetmoorError } from '../../lib/base/errors.ts';
import { CONFIG_DIRECTORIES } from '../../lib/cni/lists/places.ts';
import { withSockets } from '../../lib/mooring/host.ts';
import { HOST_LOCAL_DIRECTORY, withHostLocalLock } from '../../lib/mooring/host-local.ts';
import { formatKey } from '../../ipam/record.ts';
import { cleanFormer, formerPlugins } from '../import/former.ts';
import { importHolder, leaseholders } from '../import/importing.ts';
import type { Outcome, Work } from '../import/importing.ts';
import { networksToImport } from '../import/networks.ts';
import type { Network } from '../import/networks.ts';
import { shortenIds } from '../attachment-view.ts';
import { printable } from '../text-width.ts';
import { UsageError } from '../verb.ts';
import type { Report, Verb, VerbContext } from '../verb.ts';
import { PATH_OPTIONS, pluginPath } from './attach.ts';

/** schemas/cli-import.schema.json */
export interface ImportView {
  readonly dryRun: boolean;
  readonly imported: readonly ImportedView[];
  readonly skipped: readonly (HolderView & { readonly reason: string })[];
  readonly failures: readonly (HolderView & { readonly problem: string })[];
}

interface HolderView {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly addresses: readonly string[];
}

export interface ImportedView extends HolderView {
  readonly hostIfname: string;
  /** It was on record before. */
  readonly known: boolean;
  /** What the network asks for that import makes for nobody: the container has what its former plugins have left. */
  readonly asBefore: readonly string[];
  /** Plugins of the former chain whose rules are there still. */
  readonly left: readonly string[];
}

interface Plan {
  readonly network: Network;
  readonly outcomes: readonly Outcome[];
}

/** What has to be said of each is found out while host-local cannot give out further addresses. */
function importNetwork(network: Network, work: Work): Plan {
  const run = (): Plan => ({
    network,
    outcomes: leaseholders(network, work.world).map((holder) => importHolder(network, holder, work)),
  });
  return work.earlier ? run() : withHostLocalLock(network.directory, work.world, run);
}

async function leftOf(
  { list }: Network,
  { holder: { cached } }: Outcome,
  clean: boolean,
  { world, values, note }: VerbContext,
): Promise<string[]> {
  if (cached === undefined) return [];
  const former = formerPlugins(cached, list).map(({ type }) => String(type));
  if (!clean) return former;
  const problems = await cleanFormer(cached, list, pluginPath(values), world, note);
  for (const problem of problems) note(`${formatKey(cached)}: ${problem}`);
  return problems.length > 0 ? former : [];
}

async function viewOf(plans: readonly Plan[], dryRun: boolean, context: VerbContext): Promise<ImportView> {
  const view = {
    dryRun,
    imported: [] as ImportedView[],
    skipped: [] as ImportView['skipped'][number][],
    failures: [] as ImportView['failures'][number][],
  };
  const clean = context.switches.has('clean') && !dryRun;
  for (const { network, outcomes } of plans) {
    for (const outcome of outcomes) {
      const { cached: _cached, ...holder } = outcome.holder;
      if ('dead' in outcome) view.skipped.push({ ...holder, reason: outcome.dead });
      else if ('problem' in outcome) view.failures.push({ ...holder, problem: outcome.problem });
      else {
        const left = await leftOf(network, outcome, clean, context);
        const { alive, adopted, asBefore } = outcome;
        const { known } = adopted;
        view.imported.push({ ...holder, hostIfname: alive.link.name, known, asBefore, left });
      }
    }
  }
  return view;
}

function lineOf({ known, addresses, asBefore, left, ...key }: ImportedView, dryRun: boolean): string {
  const did = known ? 'on record already:' : dryRun ? 'would import' : 'imported';
  const rules = left.length === 0 ? '' : `; rules of ${left.join(', ')} are there still`;
  const kept =
    asBefore.length === 0 ? '' : `; ${asBefore.join(', ')} of it as the former plugins have left it`;
  return `${did} ${formatKey(key)} with ${addresses.join(', ')}${kept}${rules}`;
}

export function formatImport({ dryRun, imported, skipped, failures }: ImportView): string {
  const lines = [
    ...imported.map((each) => lineOf(each, dryRun)),
    ...skipped.map((each) => `skipped ${formatKey(each)} with ${each.addresses.join(', ')}: ${each.reason}`),
    ...failures.map((each) => `could not import ${formatKey(each)}: ${each.problem}`),
  ];
  if (lines.length === 0) lines.push('host-local has no leases of networks of bridge-nat');
  if (imported.some(({ left }) => left.length > 0))
    lines.push(
      'rules of the former plugins lead to the same containers; --clean has those plugins remove them, or a restart does',
    );
  if (imported.some(({ asBefore }) => asBefore.length > 0))
    lines.push(
      'limits (bandwidth), settings (tuning) and source routes (sbr) of a container that is imported are neither made ' +
        'nor checked; attached again, it has those of the network',
    );
  return lines.map((line) => `${printable(shortenIds(line))}\n`).join('');
}

async function importHostLocal(names: readonly string[], context: VerbContext): Promise<Report> {
  const { world, values, switches, dataDir, note } = context;
  const from = values.get('from')?.[0] ?? HOST_LOCAL_DIRECTORY;
  if (!existsSync(from))
    throw new NetmoorError('io', `there is no directory ${from}`, 'name where host-local keeps its leases');
  const dryRun = switches.has('dry-run');
  const earlier = dryRun ? [] : undefined;
  const networks = networksToImport(names, from, values.get('conf-dir') ?? CONFIG_DIRECTORIES, world, note);
  const plans = await withSockets(async (sockets) =>
    networks.map((network) => importNetwork(network, { world, sockets, dataDir, earlier, note })),
  );
  const view = await viewOf(plans, dryRun, context);
  return { json: view, text: () => formatImport(view), failed: view.failures.length > 0 };
}

export const verb: Verb = {
  about:
    'host-local: puts containers on record that the plugins bridge and host-local have attached to networks which are ' +
    "bridge-nat's by now, while they run: they keep interface and addresses, and their ports and their way out are " +
    "netmoor's from then on. Of the networks named, or of all. What is dead is skipped; repeating it changes nothing.",
  operand: 'host-local [NETWORK…]',
  manyOperands: true,
  options: [
    { name: 'dry-run', about: 'say what would be imported, and change nothing' },
    {
      name: 'clean',
      about:
        "have the former plugins (portmap, firewall) remove their rules, and the runtime's result name the network as it is now",
    },
    {
      name: 'from',
      value: 'DIR',
      about: `where host-local keeps its leases, default ${HOST_LOCAL_DIRECTORY}`,
    },
    {
      name: 'conf-dir',
      value: 'DIR',
      repeated: true,
      about: `where networks are defined, default ${CONFIG_DIRECTORIES.join(', ')}`,
    },
    ...PATH_OPTIONS,
  ],
  run(context) {
    const [what, ...names] = context.operands;
    if (what !== 'host-local')
      throw new UsageError(
        what === undefined ? 'import: of what?' : `import does not know ${what}`,
        'write netmoor import host-local',
      );
    return importHostLocal(names, context);
  },
};
