/**
 * A table that somebody has taken apart, in whatever way: CHECK notices, and the next one to be added repairs it for
 * all.
 */
import t from 'tap';
import { checkAttachment } from '../../lib/nftables/check.ts';
import { hasItsRules } from '../../lib/nftables/intact.ts';
import { NFPROTO_INET } from '../../lib/nftables/message.ts';
import { addAttachment, listElements } from '../../lib/nftables/table.ts';
import { lacking, withHost } from './harness.ts';
import { attachment, network, none, withNetfilter } from './nftables-bed.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;

const rules = network(0, 'same-bridge');
const c1 = attachment('c1', {
  rules,
  addresses: ['10.89.0.2', 'fd00:89::2'],
  forwards: ['tcp 8080 -> 10.89.0.2 80', 'tcp 203.0.113.2 8081 -> 10.89.0.2 80', 'tcp 8080 -> fd00:89::2 80'],
  macSpoofCheck: { hostIfname: 'nmc1', mac: '02:00:5e:00:53:0a' },
});
const c2 = attachment('c2', {
  rules: network(2),
  addresses: ['10.89.2.3'],
  forwards: ['udp 53 -> 10.89.2.3 53'],
});
/** Of another bridge and without anything in the bridge family: what is repaired is not its own. */
const newcomer = attachment('c3', { rules: network(3), addresses: ['10.89.3.4'] });
/** In no store that can be read. */
const unknown = attachment('c4', {
  rules: network(4, 'isolated'),
  addresses: ['10.89.4.4'],
  forwards: ['tcp 9090 -> 10.89.4.4 90'],
});

const RULE_OF_OURS = "$(nft -a list chain inet netmoor guard | sed -n '/dport\\|daddr/{s/.*handle //p;q}')";
const SETS = [
  'set masq4',
  'set masq6',
  'map publish4',
  'map publish6',
  'map publish4_host',
  'map publish6_host',
];
const BRIDGE_SETS = ['set bridges', 'set inside4', 'set inside6', 'set guarded', 'set same_bridge'];

const DAMAGES: readonly (readonly [what: string, command: string])[] = [
  ['a flushed table', 'nft flush table inet netmoor'],
  ...['guard', 'publish', 'prerouting', 'output', 'postrouting', 'forward'].map(
    (chain) => [`chain ${chain} flushed`, `nft flush chain inet netmoor ${chain}`] as const,
  ),
  ...[...SETS, ...BRIDGE_SETS].map(
    (set) => [`${set} flushed`, `nft flush ${set.replace(/ /, ' inet netmoor ')}`] as const,
  ),
  ['a deleted rule', `nft delete rule inet netmoor guard handle ${RULE_OF_OURS}`],
  ['a rule replaced', `nft replace rule inet netmoor guard handle ${RULE_OF_OURS} iifname @bridges accept`],
  ['a rule too many', 'nft insert rule inet netmoor guard accept'],
  ['a dormant table', "nft add table inet netmoor '{ flags dormant; }'"],
  ['the rules of the bridge family flushed', 'nft flush table bridge netmoor'],
  ['the ruleset flushed', 'nft flush ruleset'],
];

for (const [what, command] of DAMAGES) {
  t.test(what, { skip }, async (t) => {
    await withHost(t, (host) =>
      withNetfilter(host, async (nf) => {
        for (const one of [c1, c2, unknown]) addAttachment(nf, one, none);
        t.ok(hasItsRules(nf, NFPROTO_INET));
        await host.shell(command);
        t.not(checkAttachment(nf, c1).length, 0, 'CHECK sees it');
        addAttachment(nf, newcomer, () => [c1, c2]);
        for (const one of [c1, c2, newcomer])
          t.strictSame(checkAttachment(nf, one), [], `${one.owner.containerId} has all again`);
      }),
    );
  });
}

t.test('what no store accounts for is carried over, as far as it is still there', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      for (const one of [c1, unknown]) addAttachment(nf, one, none);
      await host.shell('nft flush chain inet netmoor postrouting');
      addAttachment(nf, newcomer, () => [c1]);
      t.strictSame(checkAttachment(nf, unknown), [], 'nothing of it is lost');

      await host.shell('nft flush map inet netmoor publish4');
      addAttachment(nf, newcomer, () => [c1]);
      t.strictSame(
        checkAttachment(nf, unknown),
        ['nftables set publish4: tcp . 9090 is missing'],
        'what was flushed nobody knows any more',
      );

      await host.shell('nft flush chain inet netmoor postrouting');
      const thief = attachment('c9', { rules: network(3), forwards: ['tcp 8081 -> 10.89.3.4 80'] });
      const stranger = attachment('c8', { rules: network(3), forwards: ['tcp 8081 -> 10.89.3.5 80'] });
      t.throws(() => addAttachment(nf, thief, () => [c1, stranger]), {
        kind: 'port-taken',
        message: naming('8081', 'web3/c8/eth0'),
      });
      addAttachment(nf, newcomer, () => [c1]);
      t.notOk(
        listElements(nf).some(({ owner }) => owner.startsWith('anchor')),
        'anchors are nobody’s',
      );
    }),
  );
});

t.test('repairing while others add and remove', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, c1, none);
      await host.shell('nft flush table inet netmoor');
      let meanwhile = true;
      addAttachment(nf, newcomer, () => {
        // Between our look at the table and our transaction somebody else's takes effect.
        if (meanwhile) addAttachment(nf, unknown, () => [c1]);
        meanwhile = false;
        return [c1];
      });
      for (const one of [c1, unknown, newcomer]) t.strictSame(checkAttachment(nf, one), []);
    }),
  );
});
