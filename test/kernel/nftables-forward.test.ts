/** lib/nftables/forward.ts: hosts whose own firewall drops what is forwarded by default. */
import { test } from 'tap';
import { acceptForwarding, checkForwarding, withdrawForwarding } from '../../lib/nftables/forward.ts';
import { addAttachment } from '../../lib/nftables/table.ts';
import { attachment, inside, makeBridge, moor, none, withNetfilter } from './nftables-bed.ts';
import { ask, lacking, serve, withHost, world } from './harness.ts';
import type { Host } from './harness.ts';

const skip = lacking() ?? false;
const silence = { deadlineMs: 400 };

/** Hosts, and the chains of theirs that drop by default. */
const hosts: Record<string, { firewall: string; chains: readonly string[] }> = {
  'as Docker leaves them: policy drop by iptables-nft': {
    firewall: `for iptables in iptables-nft ip6tables-nft; do
      $iptables -N DOCKER-USER; $iptables -A FORWARD -j DOCKER-USER; $iptables -A FORWARD -i docker0 -j ACCEPT; $iptables -P FORWARD DROP
    done`,
    chains: ['ip filter FORWARD', 'ip6 filter FORWARD'],
  },
  'a last rule that rejects, by iptables-nft': {
    firewall: `for iptables in iptables-nft ip6tables-nft; do
      $iptables -N LOGREJECT; $iptables -A LOGREJECT -m limit --limit 5/min -j LOG; $iptables -A LOGREJECT -j REJECT
      $iptables -A FORWARD -p tcp --dport 22 -j ACCEPT; $iptables -A FORWARD -m comment --comment 'the rest' -j LOGREJECT
    done`,
    chains: ['ip filter FORWARD', 'ip6 filter FORWARD'],
  },
  'policy drop in a native table': {
    firewall: `nft 'table inet filter { chain forward { type filter hook forward priority filter; policy drop; ct state established,related accept; }; }'`,
    chains: ['inet filter forward'],
  },
  'a last rule that rejects in a native table, as firewalld has': {
    firewall: `nft 'table inet firewalld {
      chain zones { iifname "lan" accept; log prefix "refused " reject with icmpx type admin-prohibited; }
      chain forward { type filter hook forward priority filter + 10; ct state established accept; goto zones; }; }'`,
    chains: ['inet firewalld forward'],
  },
};

async function ruleset(host: Host): Promise<string> {
  return host.must(['sh', '-c', `nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*/counted/'`]);
}

for (const [what, { firewall, chains }] of Object.entries(hosts)) {
  test(what, { skip }, async (t) => {
    await withHost(t, (host) =>
      withNetfilter(host, async (nf) => {
        await makeBridge(host);
        const c2 = await moor(host, 2);
        await serve(c2, 'tcp', 80);
        await serve(c2, 'tcp', 80, { address: '::' });
        await serve(host.outside, 'tcp', 80);
        await serve(host.outside, 'tcp', 80, { address: '::' });
        const forwards = ['tcp 8080 -> 10.89.0.2 80', 'tcp 8080 -> fd00:89::2 80'];
        addAttachment(nf, attachment('c2', { addresses: ['10.89.0.2', 'fd00:89::2'], forwards }), none);
        await host.shell(firewall);
        const before = await ruleset(host);
        const everyWay = async (deadline = {}) => [
          (await ask(c2, 'tcp', world.internet4, 80, deadline))?.from,
          (await ask(c2, 'tcp', world.internet6, 80, deadline))?.from,
          (await ask(host.outside, 'tcp', world.host4, 8080, deadline))?.from,
          (await ask(host.outside, 'tcp', world.host6, 8080, deadline))?.from,
        ];
        t.strictSame(
          await everyWay(silence),
          [undefined, undefined, undefined, undefined],
          'netmoor’s table alone cannot help',
        );
        t.strictSame(
          checkForwarding(nf, 'nm0').map((text) => text.replace(/.*chain (\S+ \S+ \S+) drops.*/, '$1')),
          chains,
        );

        acceptForwarding(nf, 'nm0');
        t.strictSame(await everyWay(), ['outside', 'outside', 'c02', 'c02']);
        t.strictSame(checkForwarding(nf, 'nm0'), []);
        await host.outside.shell(`ip route add 10.89.0.0/24 via ${world.host4}`);
        t.equal(
          await ask(host.outside, 'tcp', '10.89.0.2', 80, silence),
          undefined,
          'what is not published stays behind the firewall',
        );

        const once = await ruleset(host);
        acceptForwarding(nf, 'nm0');
        t.equal(await ruleset(host), once, 'a second time changes nothing');
        acceptForwarding(nf, 'nm1');
        withdrawForwarding(nf, 'nm1');
        t.equal(await ruleset(host), once, 'another bridge’s rules come and go');
        withdrawForwarding(nf, 'nm0');
        withdrawForwarding(nf, 'nm0');
        t.equal(await ruleset(host), before, 'and nothing is left');
      }),
    );
  });
}

test('iptables reads the rules as its own', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await host.shell('iptables-nft -P FORWARD DROP; ip6tables-nft -P FORWARD DROP');
      acceptForwarding(nf, 'nm0');
      const expected = [
        '-P FORWARD DROP',
        '-A FORWARD -o nm0 -m conntrack --ctstate DNAT -m comment --comment "netmoor nm0" -j ACCEPT',
        '-A FORWARD -o nm0 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment "netmoor nm0" -j ACCEPT',
        '-A FORWARD -i nm0 -m comment --comment "netmoor nm0" -j ACCEPT',
      ];
      for (const family of ['iptables', 'ip6tables']) {
        t.strictSame((await host.must([`${family}-nft`, '-S', 'FORWARD'])).trim().split('\n'), expected);
        const save = await host.must([`${family}-nft-save`]);
        t.ok(expected.slice(1).every((rule) => save.includes(rule)));
        t.ok(expected.slice(1).every((rule) => !rule.includes('"') || save.includes(rule)));
        await host.shell(
          `${family}-nft -C FORWARD -o nm0 -m conntrack --ctstate DNAT -m comment --comment "netmoor nm0" -j ACCEPT`,
        );
        // What iptables can check it can also delete, which is how an administrator would get rid of it.
        await host.shell(`${family}-nft -D FORWARD -i nm0 -m comment --comment "netmoor nm0" -j ACCEPT`);
      }
      t.equal(checkForwarding(nf, 'nm0').length, 2, 'a rule that is missing is noticed');
      acceptForwarding(nf, 'nm0');
      t.strictSame(
        (await host.must(['iptables-nft', '-S', 'FORWARD'])).trim().split('\n'),
        expected,
        'and mended',
      );
    }),
  );
});

test('where nothing drops, nothing is added', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await host.shell(`iptables-nft -A FORWARD -i eth9 -j DROP
        nft 'table inet filter {
          chain forward { type filter hook forward priority filter; policy accept; ct state invalid drop; }
          chain input { type filter hook input priority filter; policy drop; }
          chain limited { type filter hook forward priority 1; tcp dport 25 reject; }
          chain loop { jump loop2; }
          chain loop2 { accept; }
          chain walk { type filter hook forward priority 2; jump loop; }
        }
        table bridge filter { chain forward { type filter hook forward priority 0; policy drop; }; }'`);
      const before = await ruleset(host);
      t.strictSame(checkForwarding(nf, 'nm0'), []);
      acceptForwarding(nf, 'nm0');
      t.equal(await ruleset(host), before);
    }),
  );
});

test('many at once add the rules once', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      await host.shell('iptables-nft -P FORWARD DROP');
      // Other transactions between reading and writing: each makes the kernel refuse what was planned on older ground.
      const disturb = host.start([
        'sh',
        '-c',
        'while :; do nft add table ip noise; nft delete table ip noise; done',
      ]);
      const sleeper = inside(host, () => nf);
      for (let round = 0; round < 50; round++) {
        acceptForwarding(sleeper, 'nm0');
        withdrawForwarding(sleeper, 'nm0');
      }
      acceptForwarding(nf, 'nm0');
      await disturb.stop();
      t.equal((await host.must(['iptables-nft', '-S', 'FORWARD'])).trim().split('\n').length, 4);
    }),
  );
});
