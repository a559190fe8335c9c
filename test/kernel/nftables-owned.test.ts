/** Tables that another program has for itself ("flags owner"): the kernel lets nobody else change them. */
import { test } from 'tap';
import { NLM_F_CREATE } from '../../lib/netlink/socket.ts';
import { commit } from '../../lib/nftables/batch.ts';
import { checkAttachment } from '../../lib/nftables/check.ts';
import { acceptForwarding } from '../../lib/nftables/forward.ts';
import { NFPROTO_INET } from '../../lib/nftables/message.ts';
import { NF_INET_FORWARD } from '../../lib/nftables/messages/chain.ts';
import { hasTables } from '../../lib/nftables/strays.ts';
import { addAttachment, removeAttachment } from '../../lib/nftables/table.ts';
import { NF_DROP } from '../../lib/nftables/data.ts';
import { attach, must } from './attach-bed.ts';
import { lacking, withHost } from './harness.ts';
import { asked, refused } from './netmoor-command.ts';
import { attachment, none, withNetfilter } from './nftables-bed.ts';

const skip = lacking() ?? false;

/** linux/netfilter/nf_tables.h, nft_table_flags */
const NFT_TABLE_F_OWNER = 2;
const family = NFPROTO_INET;
const flags = NLM_F_CREATE;
const mine = (name: string) =>
  ({ name: 'NEWTABLE', family, flags, body: { name, flags: NFT_TABLE_F_OWNER } }) as const;

test("netmoor's table, made by another program for itself", { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      const c1 = attachment('c1', { addresses: ['10.89.0.2'] });
      await withNetfilter(host, async (other) => {
        commit(other, [mine('netmoor')], 'be another program');
        t.throws(() => addAttachment(nf, c1, none), { kind: 'name-taken', message: /table inet netmoor / });
        const [said, ...more] = checkAttachment(nf, c1);
        t.same([said?.includes('belongs to another program'), more], [true, []]);
        removeAttachment(nf, c1, { ofNetwork: true, onBridge: true, ofAll: true });
        t.equal(hasTables(nf), false, 'it is none of ours');
        t.match(await host.shell('nft list tables'), 'table inet netmoor', 'and is left alone');
        host.write(
          '/etc/cni/net.d/web.conflist',
          JSON.stringify({ cniVersion: '1.0.0', name: 'web', plugins: [{ type: 'bridge-nat' }] }),
        );
        t.equal((await refused(host, 'attach', '--create', 'c1', 'web')).code, 103, 'no lack of privileges');
        t.same((await asked(host, 'ls')).view, [], 'nothing is on record');
        t.match(await asked(host, 'gc'), { yes: true });
      });
      addAttachment(nf, c1, none);
      t.same(checkAttachment(nf, c1), [], 'with its program the table goes');
      await attach(host, '--create', 'c1', 'web');
      await must(host, 'detach', '--id', 'c1');
    }),
  );
});

test("the host's firewall, which has its table for itself", { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, (nf) =>
      withNetfilter(host, async (firewalld) => {
        const hook = { hooknum: NF_INET_FORWARD, priority: 0 };
        const body = { table: 'firewalld', name: 'forward', type: 'filter', policy: NF_DROP, hook };
        commit(firewalld, [mine('firewalld'), { name: 'NEWCHAIN', family, flags, body }], 'be a firewall');
        t.throws(() => acceptForwarding(nf, 'nm0'), { kind: 'name-taken', message: /inet firewalld / });
      }),
    ),
  );
});
