/** macvlan-v6 in namespaces that somebody has made up his own way before. */
import t from 'tap';
import { POOL, addresses, inet6, network, skip, withRouter } from './macvlan-bed.ts';

t.setTimeout(120_000);

const CONF = '/proc/sys/net/ipv6/conf';

/** By what a runtime, an image or a pod's sysctls may have done. */
const PREPARED: Readonly<Record<string, string>> = {
  'IPv6 is off, as Docker and podman leave it': `
    echo 1 > ${CONF}/all/disable_ipv6; echo 1 > ${CONF}/default/disable_ipv6`,
  'it forwards': `echo 1 > ${CONF}/all/forwarding; echo 1 > ${CONF}/default/forwarding`,
  'it believes no router': `
    for name in all default; do
      for key in accept_ra autoconf accept_ra_pinfo accept_ra_defrtr accept_ra_mtu; do echo 0 > ${CONF}/$name/$key; done
    done`,
  'it asks no router': `echo 0 > ${CONF}/default/router_solicitations; echo 3600 > ${CONF}/default/router_solicitation_delay`,
  'detection is off': `for name in all default; do echo 0 > ${CONF}/$name/accept_dad; echo 0 > ${CONF}/$name/dad_transmits; done`,
  'detection ends IPv6': `echo 2 > ${CONF}/default/accept_dad; echo 30 > ${CONF}/default/dad_transmits`,
  'addresses are generated otherwise': `
    echo 1234:5678:9abc:def0:1234:5678:9abc:def0 > ${CONF}/default/stable_secret; echo 2 > ${CONF}/default/use_tempaddr`,
  'no link-local address': `echo 1 > ${CONF}/default/addr_gen_mode`,
};

const WAYS: Readonly<Record<string, object>> = {
  slaac: {},
  strict: { dad: 'strict' },
  token: { interfaceIdentifier: '::abcd' },
  private: { interfaceIdentifier: 'stable-privacy' },
  pool: POOL,
};

for (const [what, script] of Object.entries(PREPARED)) {
  t.test(what, { skip }, async (t) => {
    await withRouter(t, async ({ host, lan }) => {
      const peer = await lan.station('peer', { addresses: ['2001:db8:50::9/64', 'fd00:50::99/64'] });
      for (const [name, config] of Object.entries(WAYS)) {
        const place = await host.container(name);
        await place.shell(script);
        const lanNetwork = network(host, { name, ...config });
        const result = await lanNetwork.add(name);
        t.equal(addresses(result).length, 1, `${name}: an address`);
        const [address = ''] = addresses(result).map((each) => each.replace(/\/64$/, ''));
        t.same(
          (await inet6(place, 'global')).map(({ local }) => local),
          [address],
          `${name}: and no other`,
        );
        t.equal((await inet6(place, 'link')).length, 1);
        t.ok(await peer.pings(address), `${name}: ${address} answers`);
        if (name !== 'pool')
          t.equal((await place.ip('-6', 'route', 'show', 'default'))[0]?.gateway, 'fe80::1');
        t.equal(await lanNetwork.check(name, result), undefined);
        await lanNetwork.del(name);
      }
    });
  });
}
