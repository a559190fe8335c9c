/**
 * IPAM plugins of others that fail in the midst: nothing they gave stays taken, and nothing stays in use that they may
 * give again.
 */
import t from 'tap';
import { lacking, withHost } from './harness.ts';
import type { CniCall, Host } from './harness.ts';
import { BRIDGE_NAT } from './moorings.ts';

const skip = lacking() ?? false;
t.setTimeout(120_000);

const LOG = '/opt/plugins/log';

/** A plugin that logs what it is asked, and answers ADD with these addresses. */
function install(host: Host, ips: readonly object[]): void {
  const answer = JSON.stringify({ cniVersion: '1.0.0', ips });
  host.write(
    '/opt/plugins/giver',
    `#!/bin/sh\necho $CNI_COMMAND >> ${LOG}\n[ $CNI_COMMAND != ADD ] || echo '${answer}'\n`,
    0o755,
  );
}

const call: CniCall = {
  config: { cniVersion: '1.0.0', name: 'harbour', type: 'bridge-nat', ipam: { type: 'giver' } },
  containerId: 'c1',
  ifname: 'eth0',
  netns: '/run/netns/c1',
  path: '/opt/plugins',
};

async function left(host: Host): Promise<string[]> {
  return (await host.ip('link', 'show')).map(({ ifname = '' }) => ifname).filter((name) => /^nm/.test(name));
}

t.test('an answer of no use is given back', { skip }, async (t) => {
  await withHost(t, async (host) => {
    install(host, []);
    await host.container('c1');
    t.match(await host.cni(BRIDGE_NAT, 'ADD', call), { code: 1, json: { code: 107 } });
    t.equal(await host.must(['cat', LOG]), 'ADD\nDEL\n');
    t.same(await left(host), []);
  });
});

t.test('gone when DEL needs it', { skip }, async (t) => {
  await withHost(t, async (host) => {
    const ips = [{ address: '10.5.0.2/24', gateway: '10.5.0.1' }];
    install(host, ips);
    const place = await host.container('c1');
    await host.cniMust(BRIDGE_NAT, 'ADD', call);
    await host.must(['rm', '/opt/plugins/giver']);
    t.match(await host.cni(BRIDGE_NAT, 'DEL', call), { code: 1, json: { code: 107, msg: /giver/ } });
    t.notMatch(await place.must(['ip', 'address']), '10.5.0.2', 'the address is not in use any more');
    install(host, ips);
    t.match(await host.cni(BRIDGE_NAT, 'DEL', call), { code: 0 });
    t.same(await left(host), []);
  });
});
