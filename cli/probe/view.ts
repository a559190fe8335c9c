/** The probes of `netmoor check`: of which networks, and what is said of them. */
import { AddressError, parseAddress } from '../../lib/base/ip.ts';
import type { Family } from '../../lib/base/ip.ts';
import type { AttachmentRecord } from '../../ipam/record.ts';
import { KIND, readDetail } from '../../plugins/bridge-nat/detail.ts';
import { knownRecords } from '../../lib/mooring/records.ts';
import { named, openStores, readAttachments } from '../stores.ts';
import { UsageError } from '../verb.ts';
import type { Option, VerbContext } from '../verb.ts';
import { surroundings } from '../verbs/attach.ts';
import { TARGETS, probeNetwork } from './probe.ts';
import type { ProbeView, ProbedWay } from './probe.ts';

export type { ProbeView } from './probe.ts';

export const PROBE_OPTIONS: readonly Option[] = [
  {
    name: 'probe',
    about:
      'attach a namespace of its own to each network of bridge-nat, and say by which interface, and as whom, its ' +
      'packets leave; without it, this is done for networks with "egress"',
  },
  { name: 'no-probe', about: 'for none' },
  {
    name: 'probe-to',
    value: 'ADDRESS',
    repeated: true,
    about: `where they are sent, dying one hop behind the host; default ${Object.values(TARGETS).join(', ')}`,
  },
];

function targetsOf({ values }: VerbContext): readonly string[] {
  const given = values.get('probe-to') ?? [];
  try {
    const families = new Set<Family>(given.map((text) => parseAddress(text).family));
    const others = ([4, 6] as const).filter((family) => !families.has(family));
    return [...given, ...others.map((family) => TARGETS[family])];
  } catch (error) {
    if (error instanceof AddressError)
      throw new UsageError(`--probe-to: ${error.message}`, 'give an address');
    throw error;
  }
}

/** The name of a network that nobody need be attached to, to be tried all the same. */
export function probedAlone(
  { operands, switches }: VerbContext,
  records: readonly AttachmentRecord[],
): boolean {
  const [word] = operands;
  if (word === undefined || !switches.has('probe')) return false;
  return records.every(({ network, containerId, name }) => ![network, containerId, name].includes(word));
}

function networksOf({ operands, switches }: VerbContext, records: readonly AttachmentRecord[]): string[] {
  const known = knownRecords({ name: KIND, readDetail }, records);
  const meant = switches.has('probe') ? known : known.filter(({ detail }) => detail.egress !== undefined);
  const [word] = operands;
  const chosen = meant.filter(
    (each) => word === undefined || [each.network, each.containerId, each.name].includes(word),
  );
  return [...new Set(chosen.map(({ network }) => network))];
}

/** One after another. */
export async function probes(context: VerbContext): Promise<ProbeView[]> {
  if (context.switches.has('no-probe')) return [];
  const targets = targetsOf(context);
  const read = () =>
    readAttachments(openStores(context.world, context.dataDir, context.note), named(context));
  const records = read();
  const alone = probedAlone(context, records) ? context.operands : [];
  const views: ProbeView[] = [];
  for (const network of [...alone, ...networksOf(context, records)])
    views.push(await probeNetwork(network, targets, surroundings(context), read));
  return views;
}

function formatWay({ family, interface: name, source }: ProbedWay): string {
  return name === undefined ? `IPv${family} does not leave` : `IPv${family} leaves by ${name} as ${source}`;
}

export function formatProbe({ network, ways, proxies, complaints, note }: ProbeView): string[] {
  const told = [
    ...(proxies ? [`TCP and DNS go to the proxy at ${proxies.join(' and ')}`] : []),
    ...ways.map(formatWay),
  ];
  const outcome = note === undefined ? told.join('; ') : `its way out was not tried: ${note}`;
  return [`network ${network}: ${outcome}`, ...complaints.map((text) => `  ${text}`)];
}
