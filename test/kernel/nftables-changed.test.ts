/** changeAttachment() on the real kernel: an attachment whose addresses the network has changed. */
import { test } from 'tap';
import { checkAttachment } from '../../lib/nftables/check.ts';
import {
  addAttachment,
  changeAttachment,
  listElements,
  ownerComment,
  removeAttachment,
} from '../../lib/nftables/table.ts';
import { lacking, withHost } from './harness.ts';
import { attachment, network, none, withNetfilter } from './nftables-bed.ts';

const skip = lacking() ?? false;

const before = attachment('c1', {
  addresses: ['10.89.0.2', 'fd00:89::2'],
  forwards: ['tcp 8080 -> 10.89.0.2 80', 'tcp 8080 -> fd00:89::2 80', 'udp 203.0.113.2 53 -> 10.89.0.2 53'],
});
const after = attachment('c1', {
  rules: { ...network(), subnets: network(1).subnets },
  addresses: ['10.89.1.9', 'fd00:89::2'],
  forwards: ['tcp 8080 -> 10.89.1.9 80', 'tcp 8080 -> fd00:89::2 80', 'udp 203.0.113.2 53 -> 10.89.1.9 53'],
});
const other = attachment('c2', { addresses: ['10.89.0.3'], forwards: ['tcp 8081 -> 10.89.0.3 80'] });

test('what went by an address goes by the other', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, after, none);
      const own = () => listElements(nf).filter(({ owner }) => owner === ownerComment(after.owner));
      const wanted = own();
      removeAttachment(nf, after, { ofNetwork: true, onBridge: true, ofAll: true });

      addAttachment(nf, before, none);
      addAttachment(nf, other, none);
      changeAttachment(nf, before, after, none);
      const ordered = (list: typeof wanted) => list.map((each) => JSON.stringify(each)).sort();
      t.same(ordered(own()), ordered(wanted), 'nothing of the old, all of the new');
      t.same([...checkAttachment(nf, after), ...checkAttachment(nf, other)], []);
      changeAttachment(nf, before, after, none);
      t.same(ordered(own()), ordered(wanted), 'repeating it changes nothing');
      changeAttachment(nf, after, attachment('c1'), none);
      t.same(own(), [], 'a lease that is lost');
      changeAttachment(nf, attachment('c1'), after, none);
      t.same(ordered(own()), ordered(wanted), 'and comes back');
      t.same(checkAttachment(nf, other), [], 'the neighbour lost nothing');
    }),
  );
});

test('an address that another has by now stays his', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, before, none);
      const heir = attachment('c3', { addresses: ['10.89.0.2'] });
      removeAttachment(nf, before, { ofNetwork: false, onBridge: false, ofAll: false });
      addAttachment(nf, heir, none);
      changeAttachment(nf, before, after, none);
      t.same([...checkAttachment(nf, heir), ...checkAttachment(nf, after)], []);
    }),
  );
});

test('the table is gone: it is made again with all', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      addAttachment(nf, before, none);
      await host.shell('nft flush ruleset');
      changeAttachment(nf, before, after, () => [other]);
      t.same([...checkAttachment(nf, after), ...checkAttachment(nf, other)], []);
    }),
  );
});
