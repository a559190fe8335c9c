/** A saved ruleset (`nft list ruleset > f; nft -f f`) is read again, and says the same. */
import t from 'tap';
import { checkAttachment } from '../../lib/nftables/check.ts';
import { lacking, withHost } from './harness.ts';
import { Network } from './moorings.ts';
import { addAttachment } from '../../lib/nftables/table.ts';
import { attachment, network, none, withNetfilter } from './nftables-bed.ts';
import { naming } from '../naming.ts';

const skip = lacking() ?? false;
const ADDRESSES = { ipam: { ranges: [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd00:77::/64' }]] } };
const RELOAD =
  'nft list ruleset > /tmp/saved\nnft flush ruleset\nnft -f /tmp/saved\nnft list ruleset | diff /tmp/saved -';

t.test('of everything there is', { skip }, async (t) => {
  await withHost(t, (host) =>
    withNetfilter(host, async (nf) => {
      const c1 = attachment('c1', {
        rules: network(0, 'isolated'),
        addresses: ['10.89.0.2', 'fd00:89::2'],
        forwards: ['tcp 8080 -> 10.89.0.2 80', 'sctp 2001:db8::2 99 -> fd00:89::2 80'],
        macSpoofCheck: { hostIfname: 'nmc1', mac: '02:00:5e:00:53:0a' },
      });
      const whole = { ...c1, isolatedPort: 'nmc1' };
      addAttachment(nf, whole, none);
      t.equal(await host.shell(RELOAD), '', 'read again, and written the same');
      t.strictSame(checkAttachment(nf, whole), []);
    }),
  );
});

t.test('an interface name in the container with a quotation mark', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const one = new Network(host, ADDRESSES);
    await host.container('c1');
    const wish = { ifname: 'a"b', ports: [{ hostPort: 8080, containerPort: 80 }] };
    const result = await one.add('c1', wish);
    const other = await one.add('c1', { ifname: 'a' });
    t.equal(await host.shell(RELOAD), '');
    t.equal(await one.check('c1', result, wish), undefined);
    t.equal(await one.check('c1', other, { ifname: 'a' }), undefined);
    await one.del('c1', wish);
    t.notMatch(await host.must(['nft', 'list', 'ruleset']), /%22/, 'its elements go with it');
    await one.del('c1', { ifname: 'a' });
    t.same(await host.nft(), []);
  });
});

for (const bridge of ['a"b', 'nm*']) {
  t.test(`a bridge named ${bridge}`, { skip }, async (t) => {
    await withHost(t, async (host) => {
      await host.container('c1');
      const refused = await new Network(host, { ...ADDRESSES, bridge }).run('ADD', 'c1');
      t.match(refused.json, { code: 7, msg: naming('bridge') });
      t.same(await host.nft(), []);
    });
  });
}
