/** A network's DHCP server in virtual time: its decisions over a real lease store, without kernel and sockets. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { World } from '../../lib/cni/world.ts';
import type { Answer, Query } from '../../ipam/dhcp/server/query.ts';
import { openStore } from '../../ipam/store/open.ts';
import type { LeaseStore } from '../../ipam/store/store.ts';
import { decide, servingOf } from '../../plugins/bridge-nat/dhcp-server/answering.ts';
import type { Answered } from '../../plugins/bridge-nat/dhcp-server/answering.ts';
import { clientOf } from '../../plugins/bridge-nat/dhcp-server/client.ts';
import type { ServedNetwork } from '../../plugins/bridge-nat/dhcp-server/client.ts';
import { BOOT } from './ipam-record.ts';

export const SCOPE = 'bridge nm-lab';
export const LEASE = 3600;

const DETAIL = {
  version: 2,
  subnets: ['10.77.0.0/24'],
  gateways: ['10.77.0.1/24'],
  routes: [],
  masquerade: true,
  ingressPolicy: 'open',
  macSpoofCheck: false,
  keepBridge: false,
  hairpin: false,
  isolated: false,
};

export interface RigOptions {
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  readonly reservations?: Readonly<Record<string, readonly string[]>>;
}

export function macNumber(number: number): string {
  return `02:00:00:00:00:${number.toString(16).padStart(2, '0')}`;
}

export class Rig {
  readonly store: LeaseStore;
  readonly network: ServedNetwork;
  readonly #world: World;
  /** Milliseconds since boot. */
  now = 1000;

  constructor(dir: string, { reservations = {}, ...range }: RigOptions = {}) {
    this.store = openStore({ dir: join(dir, 'store'), bootId: BOOT, hostId: '', now: Date.now });
    const pool = { ranges: [[{ subnet: '10.77.0.0/24', ...range }]], reservations };
    this.network = {
      name: 'lab',
      segment: 'nm-lab',
      server: {
        leaseSeconds: LEASE,
        gateways: ['10.77.0.1/24'],
        pool,
        routes: [],
        dns: { nameservers: [], search: [] },
        ports: [],
        detail: DETAIL,
      },
    };
    this.#world = {
      bootId: BOOT,
      hostId: '',
      pid: 1,
      now: () => this.now,
      random: (bytes: number) => randomBytes(bytes),
      ownNetnsId: () => '4:1',
      isAtWork: () => false,
    } as unknown as World;
  }

  /** All of the outcome; what is given back is off the record when it returns. */
  outcome(query: Partial<Query> & Pick<Query, 'is' | 'mac'>): Answered {
    const serving = servingOf(this.network);
    if (serving === undefined) throw new TypeError('nothing to serve');
    const whole: Query = { xid: 1, broadcast: false, rapid: false, relayed: false, ...query };
    const host = { store: this.store, world: this.#world };
    const kind = { scopeOf: () => SCOPE };
    const answered = decide({
      host,
      kind,
      network: this.network,
      serving,
      query: whole,
      port: 1,
      ports: [1],
      now: this.now,
    });
    const { ended } = answered;
    if (ended !== undefined) this.store.write((tx) => tx.removeAttachment(ended));
    return answered;
  }

  ask(query: Partial<Query> & Pick<Query, 'is' | 'mac'>): Answer | undefined {
    return this.outcome(query).answer;
  }

  /** DISCOVER to ACK. */
  lease(mac: string, more: Partial<Query> = {}): string | undefined {
    const offer = this.ask({ is: 'discover', mac, ...more });
    if (offer?.address === undefined) return undefined;
    const { address: requested } = offer;
    return this.ask({ ...more, is: 'request', mac, requested, server: '10.77.0.1' })?.address;
  }

  /** What the engine does when leases end. */
  expire(): void {
    this.store.write((tx) => {
      for (const record of tx.attachments())
        if ((clientOf(record)?.until ?? Infinity) <= this.now) tx.removeAttachment(record);
    });
  }
}
