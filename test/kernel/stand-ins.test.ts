/**
 * The plugins that are in the place of the reference's, loopback, bridge and host-local, side by side with those:
 * what they answer, and what the kernel has afterwards.
 */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import t from 'tap';
import type { Test } from 'tap';
import { OWN_PLUGINS, REFERENCE_PLUGINS } from './harness-cni.ts';
import { lacking, withHost } from './harness.ts';
import type { CniCall, CniCommand, CniJson, Host } from './harness.ts';

const skip = existsSync(`${REFERENCE_PLUGINS}/loopback`)
  ? (lacking('iptables') ?? false)
  : 'no reference plugins';

const OWN = '/run/stand-ins';

/** Ours and the reference's, each first in its own path. */
const SIDES = { reference: REFERENCE_PLUGINS, ours: OWN } as const;
type Side = keyof typeof SIDES;

function layOut(host: Host): void {
  mkdirSync(host.path(OWN));
  for (const name of ['bridge', 'host-local', 'loopback'])
    symlinkSync(`${OWN_PLUGINS}/netmoor`, host.path(`${OWN}/${name}`));
}

function caller(host: Host, side: Side) {
  const directory = SIDES[side];
  return async (type: string, command: CniCommand, call: CniCall, path = directory) =>
    host.cni([`${directory}/${type}`], command, { path, ...call });
}

/** Of a result what does not differ from one run of the same plugin to the next. */
function shapeOf(json: CniJson | undefined): unknown {
  const interfaces = json?.interfaces?.map(({ name, sandbox }) => [
    /^(veth|nmv)/.test(name) ? 'veth' : name,
    sandbox,
  ]);
  // Ours names the gateway of a default route, and leaves out a dns in which nothing is said.
  const routes = json?.routes?.map(({ dst }) => dst);
  return { ...json, interfaces, routes, dns: json?.dns ?? {} };
}

/**
 * The reference prints results of older versions in the shape of 1.0.0; ours, and whoever reads them, go by the
 * specification.
 */
function saidOf(json: CniJson | undefined, cniVersion: string): unknown {
  if (cniVersion === '1.0.0') return shapeOf(json);
  const { ip4, ip6 } = (json ?? {}) as Record<string, { ip: string } | undefined>;
  const old = [ip4, ip6].flatMap((each) => each?.ip ?? []);
  return { addresses: json?.ips?.map(({ address }) => address) ?? old, code: json?.code };
}

async function both<T>(work: (side: Side) => Promise<T>): Promise<{ reference: T; ours: T }> {
  return { reference: await work('reference'), ours: await work('ours') };
}

const VERSIONS = ['0.1.0', '0.2.0', '0.3.1', '0.4.0', '1.0.0'];

t.test('loopback', { skip }, async (t) => {
  await withHost(t, async (host) => {
    layOut(host);
    const flags = async (): Promise<unknown> =>
      (await host.at('/run/netns/c1').ip('link', 'show', 'dev', 'lo'))[0]?.flags?.includes('UP');
    const life = async (side: Side, cniVersion: string): Promise<unknown> => {
      await host.shell('ip netns add c1');
      const call = caller(host, side);
      const config = { cniVersion, name: 'cni-loopback', type: 'loopback' };
      const common = { config, containerId: 'c1', ifname: 'lo', netns: '/run/netns/c1' };
      const add = await call('loopback', 'ADD', common);
      const up = await flags();
      const prevResult = {
        cniVersion,
        ips: [{ address: '192.0.2.2/24', version: '4', interface: 0 }],
        interfaces: [{ name: 'x', sandbox: '/x' }],
      };
      const chained =
        cniVersion < '0.3'
          ? undefined
          : (await call('loopback', 'ADD', { ...common, config: { ...config, prevResult } })).json;
      const check = { ...common, config: { ...config, prevResult: add.json } };
      const checks = cniVersion < '0.4' ? [] : [(await call('loopback', 'CHECK', check)).code];
      const del = await call('loopback', 'DEL', common);
      const down = await flags();
      if (checks.length > 0) checks.push((await call('loopback', 'CHECK', check)).code);
      await host.shell('ip netns delete c1');
      const gone = await call('loopback', 'DEL', common);
      return {
        add: saidOf(add.json, cniVersion),
        up,
        chained: saidOf(chained, cniVersion),
        checks,
        del: [del.code, del.stdout],
        down,
        gone: [gone.code, gone.stdout],
      };
    };
    for (const version of VERSIONS) {
      const { reference, ours } = await both(async (side) => life(side, version));
      t.same(ours, reference, version);
    }
    const [answer] = [
      await host.cni([`${OWN}/loopback`], 'ADD', {
        config: { cniVersion: '1.1.0', name: 'lo' },
        containerId: 'c9',
        ifname: 'lo',
        netns: '/run/netns/none',
      }),
    ];
    t.same([answer?.code, answer?.json?.code], [1, 4], 'a namespace that is not there');
  });
});

const RANGES = [[{ subnet: '10.78.0.0/24', rangeStart: '10.78.0.10' }], [{ subnet: 'fd00:78::/64' }]];

/** Keys in any case, and one that nobody knows, as the reference takes them. */
const CASES: Readonly<Record<string, object>> = {
  'nothing but addresses': { ipam: { type: 'host-local', ranges: RANGES } },
  'the usual network of a distribution': {
    BRIDGE: 'quay',
    isGateway: true,
    ipMasq: true,
    hairpinMode: true,
    someKey: 1,
    ipam: { type: 'host-local', Ranges: RANGES, routes: [{ dst: '0.0.0.0/0' }], another: {} },
  },
  'a gateway that nobody is told the way by': {
    isGateway: true,
    ipam: { type: 'host-local', subnet: '10.78.0.0/24' },
  },
  isDefaultGateway: { isDefaultGateway: true, mtu: 1400, ipam: { type: 'host-local', ranges: RANGES } },
  'layer 2': {},
};

async function kernelState(host: Host): Promise<unknown> {
  const c1 = host.at('/run/netns/c1');
  const [inside] = await c1.ip('address', 'show', 'dev', 'eth0');
  const bridges = await host.ip('-d', 'address', 'show', 'type', 'bridge');
  const ports = await host.ip('-d', 'link', 'show', 'type', 'veth');
  const global = (link: typeof inside): string[] =>
    (link?.addr_info ?? []).flatMap(({ local, prefixlen, scope }) =>
      scope === 'global' ? [`${local}/${prefixlen}`] : [],
    );
  const routes = [...(await c1.ip('-4', 'route')), ...(await c1.ip('-6', 'route'))]
    .map(({ dst, gateway }) => `${String(dst)} via ${String(gateway)}`)
    .filter((route) => !/^(fe80|ff00|multicast)/.test(route));
  return {
    inside: [global(inside).toSorted(), inside?.mtu],
    routes: routes.toSorted(),
    bridges: bridges.map((bridge) => [bridge.ifname, global(bridge).toSorted(), bridge.mtu]),
    hairpin: ports
      .filter(({ ifname }) => ifname !== 'uplink')
      .map((port) => {
        const { linkinfo } = port as { linkinfo?: { info_slave_data?: { hairpin?: boolean } } };
        return linkinfo?.info_slave_data?.hairpin;
      }),
    forwarding: await host.must(['cat', '/proc/sys/net/ipv4/ip_forward']),
  };
}

async function lifeOfBridge(t: Test, side: Side, keys: object): Promise<unknown> {
  return withHost(t, async (host) => {
    layOut(host);
    await host.container('c1');
    const call = caller(host, side);
    const config = { cniVersion: '1.0.0', name: 'harbour', type: 'bridge', ...keys };
    const common = { config, containerId: 'c1', ifname: 'eth0', netns: '/run/netns/c1' };
    const add = await call('bridge', 'ADD', common);
    const state = add.code === 0 ? await kernelState(host) : add.stdout;
    const check = { ...config, prevResult: add.json };
    // The reference asks the IPAM plugin of a network that has none.
    const checked = 'ipam' in keys ? (await call('bridge', 'CHECK', { ...common, config: check })).code : 0;
    const del = await call('bridge', 'DEL', { ...common, config: check });
    const left = (await host.ip('link', 'show', 'type', 'bridge')).map(({ ifname }) => ifname);
    return { result: shapeOf(add.json), state, checked, del: del.code, left };
  });
}

for (const [name, keys] of Object.entries(CASES))
  t.test(`bridge: ${name}`, { skip }, async (t) => {
    const [reference, ours] = await Promise.all([
      lifeOfBridge(t, 'reference', keys),
      lifeOfBridge(t, 'ours', keys),
    ]);
    t.same(ours, reference);
  });

/** Which of the free addresses of a family comes next, after others were asked for, is nobody's concern. */
function withoutChance(json: CniJson | undefined): unknown {
  const text = JSON.stringify(json)?.replaceAll(/fd00:78::[0-9a-f]\//g, 'fd00:78::N/');
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

t.test('host-local', { skip }, async (t) => {
  const lives = async (side: Side): Promise<unknown> =>
    withHost(t, async (host) => {
      layOut(host);
      host.write('/run/resolv.conf', 'nameserver 192.0.2.53\nsearch example.org\n');
      const ipam = {
        type: 'host-local',
        ranges: RANGES,
        routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', gw: 'fd00:78::7' }],
        resolvConf: '/run/resolv.conf',
      };
      const answers: unknown[] = [];
      const ask = async (
        command: CniCommand,
        id: string,
        changes: object = {},
        more: CniCall = {},
      ): Promise<void> => {
        const config = { cniVersion: '1.0.0', name: 'lan', type: 'macvlan', ipam, ...changes };
        const call = { config, containerId: id, ifname: 'eth0', netns: `/run/netns/${id}`, ...more };
        const { code, json } = await caller(host, side)('host-local', command, call);
        answers.push([command, id, code === 0 ? withoutChance(json) : 'refused']);
      };
      await ask('ADD', 'a');
      await ask('ADD', 'b', {}, { args: 'IP=10.78.0.77' });
      await ask('ADD', 'c', { args: { cni: { ips: ['10.78.0.78', 'fd00:78::78'] } } });
      await ask('ADD', 'd', { runtimeConfig: { ips: ['10.78.0.79', 'fd00:78::79'] } });
      await ask('ADD', 'e', {
        runtimeConfig: { ipRanges: [[{ subnet: '192.0.2.0/28', gateway: '192.0.2.14' }]] },
      });
      await ask('ADD', 'f', {}, { args: 'IP=10.78.0.77' });
      await ask('ADD', 'g', { ipam: { type: 'host-local' } });
      await ask('ADD', 'h', {
        cniVersion: '0.2.0',
        ipam: { ...ipam, ranges: [RANGES[0], [{ subnet: '10.79.0.0/24' }]] },
      });
      await ask('ADD', 'i', { cniVersion: '0.2.0' });
      const both = [{ address: '10.78.0.10/24' }, { address: 'fd00:78::2/64' }];
      await ask('CHECK', 'a', { prevResult: { cniVersion: '1.0.0', ips: both } });
      await ask('CHECK', 'z', { prevResult: { cniVersion: '1.0.0', ips: [{ address: '10.78.0.10/24' }] } });
      for (const id of ['a', 'b', 'b', 'z']) await ask('DEL', id);
      await ask('ADD', 'f', {}, { args: 'IP=10.78.0.77' });
      return answers;
    });
  const [reference, ours] = await Promise.all([lives('reference'), lives('ours')]);
  t.same(ours, reference);
});

t.test('from the one to the other, while containers live', { skip }, async (t) => {
  await withHost(t, async (host) => {
    layOut(host);
    const config = {
      cniVersion: '1.0.0',
      name: 'lan',
      type: 'macvlan',
      ipam: { type: 'host-local', subnet: '10.78.0.0/29' },
    };
    const call = (id: string): CniCall => ({
      config,
      containerId: id,
      ifname: 'eth0',
      netns: `/run/netns/${id}`,
    });
    const [theirs, own] = [caller(host, 'reference'), caller(host, 'ours')];
    t.equal((await theirs('host-local', 'ADD', call('old'))).json?.ips?.[0]?.address, '10.78.0.2/29');
    const next = await own('host-local', 'ADD', call('new'));
    t.equal(next.json?.ips?.[0]?.address, '10.78.0.3/29', 'what a file holds is held');
    const wanted = await own('host-local', 'ADD', { ...call('bold'), args: 'IP=10.78.0.2' });
    t.match([wanted.code, wanted.json?.code], [1, 101]);
    await own('host-local', 'DEL', call('old'));
    t.notOk(existsSync(host.path('/var/lib/cni/networks/lan/10.78.0.2')), 'and goes with its container');
    const both = await host.cniMust(['/run/stand-ins/host-local'], 'ADD', {
      ...call('bold'),
      args: 'IP=10.78.0.2',
    });
    t.equal(both.json?.ips?.[0]?.address, '10.78.0.2/29');
  });
});

t.test("a main plugin of netmoor's with ours in the place of host-local", { skip }, async (t) => {
  await withHost(t, async (host) => {
    layOut(host);
    await host.container('c1');
    const config = {
      cniVersion: '1.0.0',
      name: 'harbour',
      type: 'bridge-nat',
      ipam: { type: 'host-local', subnet: '10.78.0.0/24' },
    };
    const call = { config, containerId: 'c1', ifname: 'eth0', netns: '/run/netns/c1', path: OWN };
    const added = await host.cniMust('bridge-nat', 'ADD', call);
    t.equal(added.json?.ips?.[0]?.address, '10.78.0.2/24');
    await host.cniMust('bridge-nat', 'CHECK', { ...call, config: { ...config, prevResult: added.json } });
    await host.cniMust('bridge-nat', 'DEL', call);
    const leases = JSON.parse(await host.must([`${OWN_PLUGINS}/netmoor`, 'leases', '--json'])) as {
      leases: unknown[];
    };
    t.same(leases.leases, []);
  });
});
