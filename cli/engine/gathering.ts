/**
 * What several requests, worked on by one thread at the same time, have done once for all of them (World.together): as
 * soon as each of them has come to its end or waits for it.
 */
interface Waiting<T> {
  readonly item: T;
  readonly all: (items: readonly T[]) => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function settle<T>({ item, all, resolve, reject }: Waiting<T>): void {
  try {
    all([item]);
    resolve();
  } catch (error) {
    reject(error);
  }
}

/** Done for all at once; where that fails, for each alone: one of them need not suffer for another. */
function doFor<T>(group: readonly Waiting<T>[]): void {
  const [first, ...others] = group;
  if (first === undefined) return;
  try {
    if (others.length > 0) {
      first.all(group.map(({ item }) => item));
      for (const { resolve } of group) resolve();
      return;
    }
  } catch {
    // Who is to blame shows below.
  }
  for (const each of group) settle(each);
}

export class Gathering {
  readonly #groups = new Map<string, Waiting<unknown>[]>();
  #working: number;

  /** `count` requests begin. */
  constructor(count: number) {
    this.#working = count;
  }

  readonly together = async <T>(what: string, item: T, all: (items: readonly T[]) => void): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      const group = (this.#groups.get(what) ?? []) as Waiting<T>[];
      group.push({ item, all, resolve, reject });
      this.#groups.set(what, group as Waiting<unknown>[]);
      this.#rested();
    });

  /** A request has come to its end. */
  ended(): void {
    this.#rested();
  }

  #rested(): void {
    this.#working -= 1;
    if (this.#working > 0) return;
    const groups = [...this.#groups.values()];
    this.#groups.clear();
    this.#working = groups.reduce((sum, group) => sum + group.length, 0);
    for (const group of groups) doFor(group);
  }
}
