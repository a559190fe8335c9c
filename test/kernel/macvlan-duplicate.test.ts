/** macvlan-v6 on a LAN where somebody else has the address already. */
import t from 'tap';
import {
  CODES,
  POOL,
  addresses,
  inet6,
  named,
  network,
  onRecord,
  refused,
  skip,
  state,
  withRouter,
} from './macvlan-bed.ts';
import type { Bed } from './macvlan-bed.ts';
import { macToEui64 } from './macvlan-eui64.ts';

t.setTimeout(120_000);

const MAC = '02:11:22:33:44:55';
const IDENTIFIER = macToEui64(MAC);
const GLOBAL = `2001:db8:50:0:${IDENTIFIER}`;
const LINK_LOCAL = `fe80::${IDENTIFIER}`;

/** Somebody with these addresses. */
async function holder({ lan }: Bed, held: readonly string[], linkLocal?: string): Promise<void> {
  await lan.station('holder', { addresses: held, ...(linkLocal === undefined ? {} : { linkLocal }) });
}

for (const dad of ['strict', 'optimistic']) {
  t.test(`${dad}: an address by slaac that somebody has`, { skip }, async (t) => {
    await withRouter(t, async (bed) => {
      const { host } = bed;
      const lanNetwork = network(host, { dad });
      await lanNetwork.container('first');
      await lanNetwork.del('first');
      await holder(bed, [`${GLOBAL}/64`]);
      await host.container('c1');
      const before = await state(host);
      const { code, msg } = await refused(lanNetwork, 'c1', { mac: MAC });
      t.equal(code, CODES.addressTaken);
      t.match(msg, GLOBAL, 'it is named');
      t.same(await state(host), before, 'nothing stays');
      t.equal(await onRecord(host), 0);
      const off = network(host, { dad: 'off' });
      t.same(addresses(await off.add('c1', { mac: MAC })), [`${GLOBAL}/64`], 'dad off does not look');
    });
  });

  t.test(`${dad}: a link-local address that somebody has`, { skip }, async (t) => {
    await withRouter(t, async (bed) => {
      const { host } = bed;
      await holder(bed, [], LINK_LOCAL);
      for (const [name, config] of Object.entries({ slaac: {}, pool: POOL })) {
        await host.container(name);
        const { code, msg } = await refused(network(host, { dad, ...config }), name, { mac: MAC });
        t.equal(code, CODES.addressTaken, name);
        t.match(msg, LINK_LOCAL, 'it is named');
        t.equal(await onRecord(host), 0);
      }
    });
  });

  t.test(`${dad}: an address of the pool that somebody has`, { skip }, async (t) => {
    await withRouter(t, async (bed) => {
      const { host } = bed;
      await holder(bed, ['fd00:50::7/64']);
      await host.container('c1');
      const { code, msg } = await refused(network(host, { dad, ...POOL }), 'c1', { ips: ['fd00:50::7'] });
      t.equal(code, CODES.addressTaken);
      t.match(msg, 'fd00:50::7');
      t.equal(await onRecord(host), 0);
    });
  });

  t.test(`${dad}: stable-privacy tries another identifier`, { skip }, async (t) => {
    await withRouter(t, async (bed) => {
      const { host } = bed;
      const lanNetwork = network(host, { dad, interfaceIdentifier: 'stable-privacy' });
      const { place, result } = await lanNetwork.container('c1', named('web'));
      const [first = ''] = addresses(result);
      const [linkLocal] = await inet6(place, 'link');
      await lanNetwork.del('c1', named('web'));
      await holder(bed, [first], linkLocal?.local);
      const second = await lanNetwork.container('c2', named('web'));
      t.comment(JSON.stringify(second.result), await second.place.shell('ip -6 a'));
      const [other = ''] = addresses(second.result);
      t.match(other, /^2001:db8:50:/);
      t.not(other, first);
      t.notOk(addresses(second.result).includes(first), 'what somebody has is not in the result');
      t.equal(await lanNetwork.check('c2', second.result, named('web')), undefined);
    });
  });
}

t.test('stable-privacy gives up in the end', { skip }, async (t) => {
  await withRouter(t, async (bed) => {
    const { host } = bed;
    for (const dad of ['strict', 'optimistic']) {
      const lanNetwork = network(host, { dad, timeout: 2, interfaceIdentifier: 'stable-privacy' });
      const { place, result } = await lanNetwork.container(`${dad}1`, named(dad));
      const [first = ''] = addresses(result);
      const [linkLocal] = await inet6(place, 'link');
      await lanNetwork.del(`${dad}1`, named(dad));
      for (const [name, held, own] of [
        ['link', [], linkLocal?.local],
        ['global', [first], undefined],
      ] as const) {
        const thief = await bed.lan.station(`${dad}-${name}`, {
          addresses: held,
          ...(own === undefined ? {} : { linkLocal: own }),
        });
        const container = await host.container(`${dad}-${name}`);
        await container.shell('echo 0 > /proc/sys/net/ipv6/idgen_retries');
        const { code, msg } = await refused(lanNetwork, container.name, named(dad));
        t.equal(code, CODES.addressTaken, `${dad}, ${name}`);
        t.match(msg, own ?? first.replace('/64', ''), 'the first one is named');
        t.equal(await onRecord(host), 0);
        await thief.place.shell('ip link set eth0 down');
      }
    }
  });
});
