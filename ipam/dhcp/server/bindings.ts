/**
 * What a server's decisions need to know of who holds what. The lease store stands behind it; tests keep it in memory.
 */

export interface Binding {
  readonly address: string;
  /** 'offered': kept for the client, which has not asked for it yet. */
  readonly state: 'offered' | 'bound';
  /** Milliseconds since boot. */
  readonly until: number;
}

export interface Bindings {
  /** What is on record for the client, expired or not. */
  of(client: string): Binding | undefined;
  /**
   * An address that the client can have: `wish` if that can be had, else another; undefined when there is none left. A
   * reservation of its own goes before all.
   */
  choose(client: string, wish?: string): string | undefined;
  /** Whether nothing speaks against this very address for the client: it is in the pool, free, and nobody else's. */
  canHave(client: string, address: string): boolean;
}

/** What is to be put on record with an answer, before it is sent. */
export type Change =
  | { readonly is: 'hold'; readonly binding: Binding }
  | { readonly is: 'drop' }
  /** The client found somebody else on the address: it is nobody's until then. */
  | { readonly is: 'bar'; readonly address: string; readonly until: number };
