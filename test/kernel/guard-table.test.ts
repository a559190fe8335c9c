/** The guard's table as a ledger: what is in it, who may have what, what is left behind, and what nft does with it. */
import t from 'tap';
import type { Test } from 'tap';
import { formatAddress, parseAddress } from '../../lib/base/ip.ts';
import type { NetlinkSocket } from '../../lib/netlink/socket.ts';
import { checkGuard } from '../../lib/nftables/guard/check.ts';
import {
  admitHost,
  changeAddresses,
  dismissHost,
  guardElements,
  guardPort,
  removePortsOf,
  unguardPort,
} from '../../lib/nftables/guard/guard.ts';
import type { MooredPort } from '../../lib/nftables/guard/guard.ts';
import { portsOnRecord } from '../../lib/nftables/guard/holdings.ts';
import { checkInside, guardInside, insideTable, unguardInside } from '../../lib/nftables/guard/inside.ts';
import { GUARD_SET_NAMES } from '../../lib/nftables/layout.ts';
import { makeLan, moor, netfilterIn, port } from './guard-bed.ts';
import type { Bed } from './guard-bed.ts';
import { lacking, withHost } from './harness.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
const none = (): MooredPort[] => [];

function onBed(name: string, body: (t: Test, bed: Bed, nf: NetlinkSocket) => Promise<void>): void {
  t.test(name, { skip }, async (t) => {
    await withHost(t, async (host) => {
      const bed = await makeLan(host);
      await netfilterIn(host, host, (nf) => body(t, bed, nf));
    });
  });
}

const ROAMING = { roams: true, spoofCheck: false, allow: { routerAdvertisements: true, dhcpServer: true } };

const DAMAGES: Readonly<Record<string, (bed: Bed) => string>> = {
  'the table flushed': () => 'nft flush table netdev netmoor',
  'the ruleset flushed': () => 'nft flush ruleset',
  'the table dormant': () => "nft add table netdev netmoor '{ flags dormant; }'",
  'a rule too many': () => 'nft insert rule netdev netmoor egress accept',
  'a rule too many in a base chain': ({ master }) =>
    `nft insert rule netdev netmoor egress_${master.index} accept`,
  'a base chain flushed': ({ master }) => `nft flush chain netdev netmoor egress_${master.index}`,
  'a base chain gone': ({ master }) => `nft delete chain netdev netmoor ingress_${master.index}`,
  'the master given another name': () => 'ip link set lan0 name lan9; ip link set lan9 name lan0',
  ...Object.fromEntries(
    ['egress', 'ingress', 'egress_frame', 'egress_roles6_icmp', 'ingress_port6'].map((chain) => [
      `chain ${chain} flushed`,
      () => `nft flush chain netdev netmoor ${chain}`,
    ]),
  ),
  ...Object.fromEntries(
    GUARD_SET_NAMES.map((set) => [`set ${set} flushed`, () => `nft flush set netdev netmoor ${set}`]),
  ),
};

for (const [what, damage] of Object.entries(DAMAGES)) {
  onBed(what, async (t, bed, nf) => {
    const [one, two] = [port(bed, 11), port(bed, 12, ROAMING)];
    guardPort(nf, one, none);
    guardPort(nf, two, none);
    for (const each of [one, two]) t.strictSame(checkGuard(nf, each), []);
    await bed.host.shell(damage(bed));
    if (what.startsWith('the master')) t.pass('nothing may be amiss, where chains are bound to devices');
    else t.not(checkGuard(nf, one).length, 0, 'the check sees it');
    guardPort(nf, port(bed, 13), () => [one, two]);
    for (const each of [one, two, port(bed, 13)])
      t.strictSame(checkGuard(nf, each), [], 'all is there again');
  });
}

onBed('saved and restored by nft, the table is the same', async (t, bed, nf) => {
  guardPort(nf, port(bed, 11, { strict: { known: ['02:00:5e:00:00:01'] } }), none);
  guardPort(nf, port(bed, 12, ROAMING), none);
  const saved = await bed.host.must(['nft', 'list', 'table', 'netdev', 'netmoor']);
  const before = await bed.host.nft();
  await bed.host.must(['nft', 'flush', 'ruleset']);
  await bed.host.must(['nft', '-f', '-'], { input: saved });
  // Packets of the kernel's own (MLD) may pass meanwhile.
  const uncounted = (text: string) => text.replaceAll(/packets \d+ bytes \d+/g, '');
  t.equal(uncounted(await bed.host.must(['nft', 'list', 'table', 'netdev', 'netmoor'])), uncounted(saved));
  const anonymous = (text: string) => text.replaceAll(/"(handle|packets|bytes)":\d+/g, '');
  t.equal(anonymous(JSON.stringify(await bed.host.nft())), anonymous(JSON.stringify(before)));
  t.strictSame(checkGuard(nf, port(bed, 12, ROAMING)), []);
});

onBed('what attachments hold is read back', async (t, bed, nf) => {
  guardPort(nf, port(bed, 11), none);
  guardPort(nf, port(bed, 12, ROAMING), none);
  for (const id of [11, 12]) {
    const made = id === 11 ? port(bed, 11) : port(bed, 12, ROAMING);
    const read = portsOnRecord(nf).find(({ owner }) => owner === `lan/c${id}/eth0`);
    t.match(read, {
      mac: made.mac,
      master: bed.master,
      identifiers: made.identifiers,
      roams: made.roams,
      spoofCheck: made.spoofCheck,
      allow: made.allow,
    });
    const texts = (addresses: MooredPort['addresses']) => addresses.map(formatAddress).sort();
    t.strictSame(texts(read?.addresses ?? []), texts(made.addresses));
  }
});

onBed('an address, and a MAC address, is one’s alone', async (t, bed, nf) => {
  const one = port(bed, 11);
  const thief = port(bed, 12, { addresses: one.held, held: one.held });
  const twin = port(bed, 12, { mac: one.mac });
  guardPort(nf, one, none);
  guardPort(nf, one, none);
  const lives = (comment: string) => comment === 'lan/c11/eth0';
  const taken = { kind: 'address-taken', message: naming('lan/c11/eth0') };
  for (const rival of [thief, twin]) t.throws(() => guardPort(nf, rival, none, lives), taken);
  t.strictSame(checkGuard(nf, one), [], 'he who lives has lost nothing');
  await bed.host.must(['nft', 'flush', 'chain', 'netdev', 'netmoor', 'egress']);
  t.throws(() => guardPort(nf, thief, none, lives), taken, 'nor when the table is built anew');
  t.throws(() => guardPort(nf, thief, () => [one], lives), taken);
  guardPort(nf, thief, none);
  t.strictSame(checkGuard(nf, thief), [], 'of the dead one inherits');

  const known = port(bed, 13, { addresses: [parseAddress('fd00:9::99')], held: [] });
  const other = port(bed, 14, { addresses: [parseAddress('fd00:9::99')], held: [] });
  guardPort(nf, known, none);
  guardPort(nf, other, none);
  t.strictSame(checkGuard(nf, other), [], 'what nobody leased two may believe to have');

  await bed.host.shell('ip link add lan1 type veth peer name lan1p');
  const [link] = await bed.host.ip('link', 'show', 'lan1');
  const master = { name: 'lan1', index: Number(link?.['ifindex']) };
  guardPort(nf, { ...port(bed, 15, { mac: thief.mac, held: thief.held }), master }, none, () => true);
  t.pass('behind another master numbers are others');
});

onBed('what goes leaves nothing', async (t, bed, nf) => {
  const [one, two] = [port(bed, 11, { strict: { known: ['02:00:5e:00:00:01'] } }), port(bed, 12, ROAMING)];
  guardPort(nf, one, none);
  admitHost(nf, bed.master, '02:00:5e:00:00:02', none, { routerAdvertisements: true, dhcpServer: true });
  guardPort(nf, two, none);
  unguardPort(nf, two, { onMaster: false, ofAll: false });
  unguardPort(nf, two, { onMaster: false, ofAll: false });
  t.strictSame([...new Set(guardElements(nf).map(({ comment }) => comment))].sort(), [
    'host lan0',
    'lan/c11/eth0',
    'master lan0',
  ]);
  unguardPort(nf, two, { onMaster: true, ofAll: true });
  t.strictSame(checkGuard(nf, one), [], 'who is there is not the last, whatever the store believes');
  dismissHost(nf, bed.master, '02:00:5e:00:00:02');
  t.notOk(guardElements(nf).some(({ comment }) => comment === 'host lan0'));
  admitHost(nf, bed.master, '02:00:5e:00:00:02', none);
  unguardPort(nf, one, { onMaster: true, ofAll: false });
  t.strictSame(guardElements(nf), []);
  const chains = (await bed.host.nft()).flatMap(({ chain }) => (chain?.['hook'] ? [chain['name']] : []));
  t.strictSame(chains, [], 'nor base chains');
  guardPort(nf, two, none);
  t.ok(removePortsOf(nf, new Set(['lan/c12/eth0'])) > 5);
  t.equal(removePortsOf(nf, new Set(['lan/c12/eth0'])), 0);
  t.strictSame(await bed.host.nft(), []);
  guardPort(nf, one, none);
  guardPort(nf, two, none);
  removePortsOf(nf, new Set(['lan/c12/eth0']));
  t.strictSame(checkGuard(nf, one), [], 'another stays');
  unguardPort(nf, one, { onMaster: true, ofAll: true });
  t.strictSame(await bed.host.nft(), []);
  unguardPort(nf, two, { onMaster: true, ofAll: true });
  t.equal(removePortsOf(nf, new Set(['lan/c12/eth0'])), 0);
});

onBed('other addresses', async (t, bed, nf) => {
  const one = port(bed, 11);
  const addresses = ['10.9.0.11', 'fd00:a::11'].map(parseAddress);
  const renumbered = port(bed, 11, { addresses, held: addresses.slice(0, 1), identifiers: [] });
  guardPort(nf, one, none);
  const untouched = guardElements(nf).length;
  changeAddresses(nf, one, renumbered, none);
  t.strictSame(checkGuard(nf, renumbered), []);
  t.strictSame(portsOnRecord(nf)[0]?.addresses.map(formatAddress), ['10.9.0.11', 'fd00:a::11']);
  changeAddresses(nf, renumbered, one, none);
  t.equal(guardElements(nf).length, untouched);
  await bed.host.must(['nft', 'flush', 'ruleset']);
  changeAddresses(nf, one, renumbered, none);
  t.strictSame(checkGuard(nf, renumbered), [], 'also when there was no table any more');
});

onBed('a master that is gone does not keep others from being guarded', async (t, bed, nf) => {
  const gone = { ...port(bed, 12), master: { name: 'lan7', index: 4711 } };
  guardPort(nf, port(bed, 11), () => [gone]);
  t.strictSame(checkGuard(nf, port(bed, 11)), []);
  await bed.host.must(['nft', 'flush', 'table', 'netdev', 'netmoor']);
  guardPort(nf, port(bed, 13), () => [gone, port(bed, 11)]);
  for (const id of [11, 13]) t.strictSame(checkGuard(nf, port(bed, id)), []);
});

onBed('a rebuild while another is added', async (t, bed, nf) => {
  const [one, two, three] = [port(bed, 11), port(bed, 12), port(bed, 13)];
  guardPort(nf, one, none);
  await bed.host.must(['nft', 'flush', 'table', 'netdev', 'netmoor']);
  let meanwhile = true;
  guardPort(nf, three, () => {
    if (meanwhile) guardPort(nf, two, () => [one]);
    meanwhile = false;
    return [one];
  });
  for (const each of [one, two, three]) t.strictSame(checkGuard(nf, each), []);
});

onBed('who ends and begins anew while the table is built', async (t, bed, nf) => {
  const [one, two] = [port(bed, 11), port(bed, 12)];
  let read = 0;
  guardPort(nf, two, () => {
    if (++read === 1) return [one];
    // No record of it was there when this was read, and there is one when it is answered.
    guardPort(nf, one, () => [two]);
    return [];
  });
  for (const each of [one, two]) t.strictSame(checkGuard(nf, each), []);
});

onBed('inside a container', async (t, bed) => {
  const container = await moor(bed.host, 11);
  await netfilterIn(bed.host, container, async (nf) => {
    for (const each of [
      port(bed, 11),
      port(bed, 11, ROAMING),
      port(bed, 11, { roams: true, identifiers: [] }),
    ]) {
      guardInside(nf, each);
      t.strictSame(checkInside(nf, each), []);
      const saved = await container.must(['nft', 'list', 'ruleset']);
      await container.must(['nft', 'flush', 'ruleset']);
      t.not(checkInside(nf, each).length, 0);
      await container.must(['nft', '-f', '-'], { input: saved });
      t.equal(await container.must(['nft', 'list', 'ruleset']), saved, 'saved and restored');
      t.strictSame(checkInside(nf, each), []);
      await container.must([
        'nft',
        'insert',
        'rule',
        'netdev',
        insideTable(each.owner.ifname),
        'egress',
        'accept',
      ]);
      t.not(checkInside(nf, each).length, 0, 'a rule too many');
    }
    unguardInside(nf, port(bed, 11).owner.ifname);
    unguardInside(nf, port(bed, 11).owner.ifname);
    t.strictSame(await container.nft(), []);
  });
});
