/** What of macvlan-v6 is struck (striking.ts): on a LAN of its own each. */
import type { Host } from '../kernel/harness.ts';
import { Lan, lanWorld } from '../kernel/lan.ts';
import type { Flavour } from './striking.ts';

const RANGES = [[{ subnet: '192.0.2.0/24', rangeStart: '192.0.2.100' }], [{ subnet: 'fd00:50::/64' }]];

const CONFIG = { cniVersion: '1.1.0', name: 'harbour', type: 'macvlan-v6', master: lanWorld.master };

async function onLan(host: Host): Promise<void> {
  await Lan.open(host);
}

async function onLanWithRouter(host: Host): Promise<void> {
  const router = await (await Lan.open(host)).router();
  await router.radvd();
}

async function withAddresses(host: Host): Promise<void> {
  await Lan.open(host);
  await host.shell(`ip address add 192.0.2.2/24 dev ${lanWorld.master}
    ip address add fd00:50::2/64 dev ${lanWorld.master} nodad`);
}

export const POOL: Flavour = {
  name: 'own store',
  config: { ...CONFIG, ipam: { ranges: RANGES } },
  addresses: 2,
  atLeast: { add: 8, del: 5 },
  prepare: onLan,
};

export const BESIDE: Flavour = { ...POOL, name: 'own store, beside another container', beside: true };

export const ADVERTISED: Flavour = {
  ...POOL,
  name: 'addresses by routers',
  config: CONFIG,
  addresses: 1,
  prepare: onLanWithRouter,
  needs: ['radvd', 'tcpdump'],
};

export const DELEGATED: Flavour = {
  ...POOL,
  name: 'delegated to host-local',
  config: { ...CONFIG, cniVersion: '1.0.0', ipam: { type: 'host-local', ranges: RANGES } },
};

export const WITH_HOST: Flavour = {
  ...POOL,
  name: 'with access to the host',
  config: { ...POOL.config, hostAccess: true },
  atLeast: { add: 9, del: 5 },
  prepare: withAddresses,
};

export const WITH_HOST_BESIDE: Flavour = {
  ...WITH_HOST,
  name: 'with access to the host, beside another container',
  beside: true,
  atLeast: { add: 9, del: 6 },
};
