/** netmoor as an IPAM plugin, through the protocol and onto a store of its own; kernel and processes are not needed. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import type { Test } from 'tap';
import { netmoorIpam } from '../../plugins/netmoor-ipam/main.ts';
import { checkStore } from '../../ipam/store/check.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';
import type { World } from '../../lib/cni/world.ts';
import { invoke, printed } from './cni-fakes.ts';
import { recordOf, storeWorld } from './cli-fakes.ts';
import { naming } from '../naming.ts';

interface Bed {
  readonly world: World;
  readonly store: LeaseStore;
  call(command: string, changes?: object, environment?: Record<string, string>): Promise<Called>;
}

interface Called {
  readonly code: number;
  readonly json: Record<string, unknown>;
}

const RANGES = { type: 'netmoor', ranges: [[{ subnet: '10.1.0.0/29' }], [{ subnet: 'fd00:1::/64' }]] };

function bed(t: Test): Bed {
  const { world, store, parent } = storeWorld();
  t.teardown(() => rmSync(parent, { recursive: true }));
  return {
    world,
    store,
    call: async (command, changes = {}, environment = {}) => {
      const config = {
        cniVersion: '1.1.0',
        name: 'lan',
        type: 'macvlan',
        master: 'eth0',
        ipam: RANGES,
        ...changes,
      };
      const answer = await invoke({ command, environment, config, plugin: netmoorIpam, world });
      t.same(store.read(checkStore), [], `the store is in order after ${command}`);
      return { code: answer.exitCode, json: answer.stdout === '' ? {} : printed(answer) };
    },
  };
}

function addresses({ json }: Called): unknown {
  return (json['ips'] as { address: string }[] | undefined)?.map(({ address }) => address) ?? json;
}

t.test('ADD gives addresses, and gives them again', async (t) => {
  const { call, store } = bed(t);
  const first = await call('ADD', { ipam: { ...RANGES, routes: [{ dst: '0.0.0.0/0' }] } });
  t.same(first, {
    code: 0,
    json: {
      cniVersion: '1.1.0',
      ips: [
        { address: '10.1.0.2/29', gateway: '10.1.0.1' },
        { address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
      ],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  });
  t.same(addresses(await call('ADD')), ['10.1.0.2/29', 'fd00:1::2/64'], 'the same for the same attachment');
  t.same(
    addresses(await call('ADD', {}, { CNI_IFNAME: 'eth1' })),
    ['10.1.0.3/29', 'fd00:1::3/64'],
    'others for another interface',
  );
  t.same(
    addresses(await call('ADD', {}, { CNI_ARGS: 'IP=10.1.0.5' })),
    ['10.1.0.5/29', 'fd00:1::4/64'],
    'the one that is asked for, though it held another',
  );
  t.equal(
    store.read((tx) => tx.attachments().length),
    2,
  );
  t.same(
    store.read((tx) => tx.networks()),
    [
      {
        version: 2,
        name: 'lan',
        plugin: 'netmoor',
        subnets: ['10.1.0.0/29', 'fd00:1::/64'],
        automatic: false,
        createdAt: 1_000_000,
      },
    ],
  );
});

t.test('older results', async (t) => {
  const { call } = bed(t);
  t.same((await call('ADD', { cniVersion: '0.2.0' })).json, {
    cniVersion: '0.2.0',
    ip4: { ip: '10.1.0.2/29', gateway: '10.1.0.1' },
    ip6: { ip: 'fd00:1::2/64', gateway: 'fd00:1::1' },
    dns: {},
  });
  const modern = await call('ADD', { cniVersion: '0.4.0' }, { CNI_CONTAINERID: 'c2' });
  t.match(modern.json, { ips: [{ version: '4', address: '10.1.0.3/29' }, { version: '6' }] });
});

t.test('wishes', async (t) => {
  const { call, world } = bed(t);
  mkdirSync(world.storeDirectory);
  const reserved = { ...RANGES, reservations: { bond: ['10.1.0.6'] } };
  t.match(addresses(await call('ADD', { ipam: reserved, args: { cni: { name: 'bond' } } })), [
    '10.1.0.6/29',
    /^fd00/,
  ]);
  const other = { CNI_CONTAINERID: 'c2' };
  t.match(addresses(await call('ADD', { runtimeConfig: { ips: ['10.1.0.4', 'fd00:1::77'] } }, other)), [
    '10.1.0.4/29',
    'fd00:1::77/64',
  ]);
  const taken = await call('ADD', { runtimeConfig: { ips: ['10.1.0.4'] } }, { CNI_CONTAINERID: 'c3' });
  t.match(taken, { code: 1, json: { code: 101, msg: naming('10.1.0.4', 'lan/c2/eth0') } });
  t.match(
    addresses(
      await call(
        'ADD',
        { ipam: { type: 'netmoor' }, runtimeConfig: { ipRanges: [[{ subnet: '10.9.0.0/24' }]] } },
        { CNI_CONTAINERID: 'c4' },
      ),
    ),
    ['10.9.0.2/24'],
  );
  t.match(await call('ADD', { ipam: { ...RANGES, reservation: {} } }), {
    code: 1,
    json: { code: 2, msg: naming('ipam.reservation'), details: naming('"reservations"') },
  });
  const resolv = `${world.storeDirectory}/resolv.conf`;
  writeFileSync(resolv, 'nameserver 192.0.2.53\nsearch example.org\n');
  const dnsWorld = await invoke({
    config: { cniVersion: '1.1.0', name: 'lan', ipam: { ...RANGES, resolvConf: resolv } },
    plugin: netmoorIpam,
    world: { ...world, readText: () => 'nameserver 192.0.2.53\nsearch example.org\n' },
  });
  t.match(printed(dnsWorld), { dns: { nameservers: ['192.0.2.53'], search: ['example.org'] } });
});

t.test('DEL, and the address afterwards', async (t) => {
  const { call, store } = bed(t);
  await call('ADD');
  t.same(await call('DEL'), { code: 0, json: {} });
  t.same(await call('DEL'), { code: 0, json: {} }, 'repeated');
  t.same(
    store.read((tx) => [...tx.attachments(), ...tx.networks()]),
    [],
    'nothing stays',
  );
  // With its last lease a network is forgotten, and what was released in it.
  await call('ADD', {}, { CNI_CONTAINERID: 'c0' });
  t.match(addresses(await call('ADD')), ['10.1.0.3/29', 'fd00:1::3/64']);
  await call('DEL');
  t.match(
    addresses(await call('ADD')),
    ['10.1.0.4/29', 'fd00:1::4/64'],
    'a released address is left alone at first',
  );
  t.same(
    await call('DEL', { ipam: { type: 'netmoor', broken: true } }),
    { code: 0, json: {} },
    'a broken config is no hindrance',
  );
});

t.test('the pool ends', async (t) => {
  const { call } = bed(t);
  for (const id of ['a', 'b', 'c', 'd', 'e'])
    t.equal((await call('ADD', {}, { CNI_CONTAINERID: id })).code, 0);
  t.match(await call('ADD', {}, { CNI_CONTAINERID: 'f' }), {
    code: 1,
    json: { code: 11, msg: naming('10.1.0.1-10.1.0.6') },
  });
  t.match(await call('STATUS'), {
    code: 1,
    json: { code: 50, msg: naming('10.1.0.1-10.1.0.6') },
  });
  await call('DEL', {}, { CNI_CONTAINERID: 'c' });
  t.same(await call('STATUS'), { code: 0, json: {} });
});

t.test('STATUS of a store that cannot be written', async (t) => {
  const { call, world } = bed(t);
  writeFileSync(world.storeDirectory, 'a file');
  t.match(
    await invoke({
      command: 'STATUS',
      config: { cniVersion: '1.1.0', name: 'lan', ipam: RANGES },
      plugin: netmoorIpam,
      world,
    }),
    {
      exitCode: 1,
      stdout: /"code": 50/,
    },
  );
  rmSync(world.storeDirectory);
  t.same(await call('STATUS'), { code: 0, json: {} });
});

t.test('CHECK', async (t) => {
  const { call, store } = bed(t);
  t.match(await call('CHECK'), {
    code: 1,
    json: { code: 104, msg: naming('lan/c1/eth0') },
  });
  const { json } = await call('ADD');
  t.same(await call('CHECK', { prevResult: json }), { code: 0, json: {} });
  t.same(await call('CHECK'), { code: 0, json: {} }, 'without a result there is the store');
  t.match(await call('CHECK', { prevResult: { cniVersion: '1.1.0', ips: [{ address: '10.1.0.2/29' }] } }), {
    code: 1,
    json: { code: 104, msg: naming('fd00:1::2/64', 'lan/c1/eth0') },
  });
  store.write((tx) => tx.removeAttachment({ network: 'lan', containerId: 'c1', ifname: 'eth0' }));
  t.match(await call('CHECK', { prevResult: json }), { code: 1, json: { code: 104 } });
});

t.test('GC keeps what is valid, and other networks', async (t) => {
  const { call, store } = bed(t);
  for (const id of ['a', 'b', 'c']) await call('ADD', {}, { CNI_CONTAINERID: id });
  await call('ADD', { name: 'other' }, { CNI_CONTAINERID: 'a' });
  const valid = [{ containerID: 'b', ifname: 'eth0' }];
  t.same(await call('GC', { 'cni.dev/valid-attachments': valid }), { code: 0, json: {} });
  t.same(
    store.read((tx) => tx.attachments()).map(({ network, containerId }) => `${network}/${containerId}`),
    ['lan/b', 'other/a'],
  );
});

t.test('an attachment of another plugin under the same key is not touched', async (t) => {
  const { call, store } = bed(t);
  const stranger = recordOf({ network: 'lan', plugin: 'bridge-nat' });
  store.write((tx) => tx.putAttachment(stranger));
  t.match(await call('ADD'), { code: 1, json: { code: 100, msg: naming('bridge-nat') } });
  t.same(await call('DEL'), { code: 0, json: {} });
  t.same(await call('GC'), { code: 0, json: {} });
  t.same(
    store.read((tx) => tx.attachments()),
    [stranger],
  );
});

t.test('addresses of another boot are free again', async (t) => {
  const { call, world } = bed(t);
  for (const id of ['a', 'b', 'c', 'd', 'e']) await call('ADD', {}, { CNI_CONTAINERID: id });
  const rebooted = { ...world, bootId: 'boot-2' };
  const config = { cniVersion: '1.1.0', name: 'lan', ipam: RANGES };
  const answer = await invoke({
    config,
    environment: { CNI_CONTAINERID: 'f' },
    plugin: netmoorIpam,
    world: rebooted,
  });
  t.equal(answer.exitCode, 0, answer.stdout);
  const store = openStore({ dir: world.storeDirectory, bootId: 'boot-2', hostId: '', now: world.now });
  t.same(
    store.read((tx) => tx.attachments()).map(({ containerId }) => containerId),
    ['f'],
  );
});
