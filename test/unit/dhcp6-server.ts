/** A DHCPv6 server for tests: leases what it is told to, the same to the same client. */
import type { Message6, Options6 } from '../../ipam/dhcp/v6/message.ts';

export interface Terms6 {
  readonly t1: number;
  readonly t2: number;
  readonly preferred: number;
  readonly valid: number;
}

export interface ServerOptions {
  readonly duid?: string;
  readonly preference?: number;
  readonly terms?: Terms6;
  readonly address?: string;
  readonly rapid?: boolean;
}

export const SERVER = '0003000102005e005601';
export const LEASED = '2001:db8:50::113';
export const TERMS: Terms6 = { t1: 1000, t2: 1600, preferred: 2000, valid: 3000 };

/** An IA_NA with these addresses. */
export function iaNaOf(iaid: number, addresses: readonly string[], terms: Terms6 = TERMS): Options6 {
  const { t1, t2, preferred, valid } = terms;
  return {
    iaNa: [
      {
        iaid,
        t1,
        t2,
        options: { addresses: addresses.map((address) => ({ address, preferred, valid, options: {} })) },
      },
    ],
  };
}

/** IA_PDs from `iaid` on, with one prefix each. */
export function iaPdOf(iaid: number, prefixes: readonly string[], terms: Terms6 = TERMS): Options6 {
  const { t1, t2, preferred, valid } = terms;
  return {
    iaPd: prefixes.map((prefix, index) => ({
      iaid: iaid + index,
      t1,
      t2,
      options: { prefixes: [{ prefix, preferred, valid, options: {} }] },
    })),
  };
}

const UNBOUND = { status: { code: 3, text: 'no binding' } };

export class Server6 {
  readonly duid: string;
  readonly address: string;
  /** Client ids that have a lease. */
  readonly bound = new Set<string>();
  readonly heard: string[] = [];
  readonly #options: ServerOptions;

  constructor(options: ServerOptions = {}) {
    this.duid = options.duid ?? SERVER;
    this.address = options.address ?? LEASED;
    this.#options = options;
  }

  #leases(question: Message6): Options6 {
    const { iaNa = [], iaPd = [] } = question.options;
    const terms = this.#options.terms ?? TERMS;
    return {
      ...(iaNa[0] && iaNaOf(iaNa[0].iaid, [this.address], terms)),
      ...(iaPd[0] &&
        iaPdOf(
          iaPd[0].iaid,
          iaPd.map((_, index) => `2001:db8:${8000 + index}::/56`),
          terms,
        )),
    };
  }

  #unbound({ options: { iaNa = [], iaPd = [] } }: Message6): Options6 {
    return {
      iaNa: iaNa.map(({ iaid }) => ({ iaid, t1: 0, t2: 0, options: UNBOUND })),
      iaPd: iaPd.map(({ iaid }) => ({ iaid, t1: 0, t2: 0, options: UNBOUND })),
    };
  }

  #reply(question: Message6, client: string): Options6 | undefined {
    const known = this.bound.has(client);
    switch (question.type) {
      case 'SOLICIT':
      case 'REQUEST':
        this.bound.add(client);
        return this.#leases(question);
      case 'RENEW':
        return known ? this.#leases(question) : this.#unbound(question);
      case 'REBIND':
        return known ? this.#leases(question) : undefined;
      case 'CONFIRM':
      case 'DECLINE':
        return { status: { code: 0, text: 'well' } };
      case 'RELEASE':
        this.bound.delete(client);
        return { status: { code: 0, text: 'thank you' } };
      case 'INFORMATION-REQUEST':
        return {};
      default:
        return undefined;
    }
  }

  /** undefined: says nothing. */
  answer(question: Message6): Message6 | undefined {
    const { type, transaction, options } = question;
    const { clientId = '', serverId, rapidCommit } = options;
    if (serverId !== undefined && serverId !== this.duid) return undefined;
    this.heard.push(type);
    const { preference, rapid } = this.#options;
    const always: Options6 = {
      clientId,
      serverId: this.duid,
      dnsServers: ['2001:db8:50::53'],
      ...(preference !== undefined && { preference }),
    };
    if (type === 'SOLICIT' && !(rapid && rapidCommit))
      return { type: 'ADVERTISE', transaction, options: { ...always, ...this.#leases(question) } };
    const inside = this.#reply(question, clientId);
    if (inside === undefined) return undefined;
    const committed: Options6 = type === 'SOLICIT' ? { rapidCommit: true } : {};
    return { type: 'REPLY', transaction, options: { ...always, ...committed, ...inside } };
  }
}
