/** After a storm: kernel, rules and stores against each other and against the model. */
import type { Test } from 'tap';
import { ownerComment, bridgeComment } from '../../lib/nftables/owner.ts';
import { ifbNameFor } from '../../plugins/bridge-nat/names.ts';
import { until } from '../kernel/harness.ts';
import type { Host } from '../kernel/harness.ts';
import { lanWorld } from '../kernel/lan.ts';
import { asked } from '../kernel/netmoor-command.ts';
import type { AttachmentView } from '../../cli/attachment-view.ts';
import { contents } from './attack-bed.ts';
import { nameOf } from './storm-model.ts';
import type { Storm } from './storm.ts';
import { CONTAINERS, NETWORKS, STORES, keyOf } from './storm-networks.ts';

/**
 * Namespaces are taken apart in the order in which they ended (net/core/net_namespace.c, cleanup_list): this one is the
 * last.
 */
export async function namespacesGone(host: Host): Promise<void> {
  await host.shell(`ip netns add last
ip link add last type veth peer name eth0 netns last
ip netns delete last`);
  const gone = async () => (await host.ip('link', 'show')).every(({ ifname }) => ifname !== 'last');
  await until(gone, 'the kernel has taken the namespaces apart', 30_000);
}

/** Names of the host's links of a kind, without those of the harness. */
async function links(host: Host, kind: string): Promise<string[]> {
  const all = await host.ip('link', 'show', 'type', kind);
  return all
    .flatMap(({ ifname = '' }) => (['uplink', lanWorld.master].includes(ifname) ? [] : [ifname]))
    .sort();
}

/** Whose the elements in all sets are. */
export async function commentsOf(host: Host): Promise<Set<string>> {
  const text = JSON.stringify(await host.nft());
  return new Set(
    [...text.matchAll(/"comment":"((?:bridge |[a-z]+\/)[^"]*)"/g)].map((match) => match[1] ?? ''),
  );
}

function agrees(t: Test, storm: Storm, living: readonly AttachmentView[]): void {
  const byName = new Map(living.map((each) => [nameOf(each), each]));
  const wrong: string[] = [];
  let certain = 0;
  for (const key of CONTAINERS.flatMap((container) => NETWORKS.map((_, index) => keyOf(container, index)))) {
    const fact = storm.model.fact(key);
    const there = byName.get(nameOf(key));
    if (fact.is !== 'unknown') certain += 1;
    if (fact.is === 'absent' && there !== undefined) wrong.push(`${nameOf(key)} must not be there`);
    if (fact.is !== 'attached') continue;
    const addresses = there?.addresses.map(({ address }) => address);
    if (JSON.stringify(addresses) !== JSON.stringify(fact.ips))
      wrong.push(`${nameOf(key)} has ${addresses?.join() ?? 'nothing'}, not ${fact.ips.join()}`);
  }
  t.same(wrong, [], 'what is there is what was last asked for');
  t.comment(`${living.length} attachments live; the model is certain of ${certain} keys`);
}

async function holdsTogether(t: Test, host: Host, living: readonly AttachmentView[]): Promise<void> {
  const of = (each: AttachmentView): string => each.segment ?? '';
  const onLan = living.filter((each) => of(each) === lanWorld.master);
  const bridged = living.filter((each) => of(each) !== lanWorld.master);
  const segments = [...new Set(bridged.map(of))].sort();
  t.same(await links(host, 'veth'), bridged.map(({ hostIfname = '' }) => hostIfname).sort(), 'veths');
  t.same(await links(host, 'bridge'), segments, 'bridges');
  const access = await links(host, 'macvlan');
  if (onLan.some(({ network }) => network === 'lee')) t.equal(access.length, 1, "the host's macvlan");
  if (onLan.length === 0) t.same(access, [], "no macvlan of the host's");
  const limited = living.filter(({ network }) => network === 'delta').map(ifbNameFor);
  t.same(await links(host, 'ifb'), limited.sort(), 'IFBs');
  const owners = [...living.map(ownerComment), ...segments.map(bridgeComment)];
  t.same([...(await commentsOf(host))].sort(), owners.sort(), 'nftables elements');
  const held = living.flatMap((each) => each.addresses.map(({ address }) => `${of(each)} ${address}`));
  t.equal(new Set(held).size, held.length, 'no address is held twice');
  const stored = await Promise.all(STORES.map((store) => contents(host, store)));
  t.same(
    stored.flatMap(({ problems }) => problems),
    [],
    'the stores do not contradict themselves',
  );
  t.equal(stored.flatMap(({ attachments }) => attachments).length, living.length, 'and hold nothing else');
}

/** Inside every container: its interfaces, and what they reach. */
async function isConnected(
  t: Test,
  host: Host,
  storm: Storm,
  living: readonly AttachmentView[],
): Promise<void> {
  const groups = CONTAINERS.map((container) => living.filter(({ containerId }) => containerId === container));
  const failures = await Promise.all(
    groups.map(async (own, index) => {
      const netns = storm.netnsOf(CONTAINERS[index] ?? '');
      const all = await host.at(`/run/netns/${netns}`).ip('link', 'show');
      const inside = all.map(({ ifname }) => ifname).filter((name) => name !== 'lo');
      const wanted = own.map(({ ifname }) => ifname);
      const pings = own.flatMap(({ ifname, addresses }) =>
        addresses.map(
          ({ gateway }) => `ping -c 1 -W 10 -I ${ifname} ${gateway} > /dev/null || echo ${ifname} ${gateway}`,
        ),
      );
      const lost = await host.must(['ip', 'netns', 'exec', netns, 'sh', '-c', [':', ...pings].join('\n')]);
      const same = JSON.stringify(inside.toSorted()) === JSON.stringify(wanted.toSorted());
      return [
        ...(same ? [] : [`${netns} has ${inside.join()}, not ${wanted.join()}`]),
        ...(lost ? [`${netns}: ${lost}`] : []),
      ];
    }),
  );
  t.same(failures.flat(), [], 'every container has its interfaces, and reaches its gateways');
}

/** CHECK names whoever has lost his interface, and nobody else; they are detached. */
async function cutAreNamed(t: Test, host: Host, storm: Storm): Promise<void> {
  const { view } = await asked(host, 'check');
  const complaints = view.attachments.filter(({ differences }) => differences.length > 0);
  t.same(
    complaints.filter((key) => !storm.isCut(key)),
    [],
    'nobody else is complained of',
  );
  const named = new Set(complaints.map(nameOf));
  const cut = CONTAINERS.flatMap((container) => NETWORKS.map((_, index) => keyOf(container, index))).filter(
    (key) => storm.model.fact(key).is === 'cut',
  );
  t.same(
    cut.map(nameOf).filter((name) => !named.has(name)),
    [],
    `${cut.length} that lost their interfaces are named`,
  );
  await storm.bury();
  t.match(await asked(host, 'gc'), { yes: true, view: { failures: [] } });
}

/** To be asked after one `netmoor gc`; the living. */
export async function judge(t: Test, host: Host, storm: Storm): Promise<readonly AttachmentView[]> {
  await cutAreNamed(t, host, storm);
  const { view: living } = await asked(host, 'ls');
  t.same(
    living.filter(({ state, stale }) => state !== 'attached' || stale !== undefined),
    [],
    'nothing is stale',
  );
  agrees(t, storm, living);
  await holdsTogether(t, host, living);
  await isConnected(t, host, storm, living);
  const { view } = await asked(host, 'check');
  t.same(
    { ...view, attachments: view.attachments.filter(({ differences }) => differences.length > 0) },
    {
      ok: true,
      attachments: [],
      store: [],
    },
  );
  return living;
}
