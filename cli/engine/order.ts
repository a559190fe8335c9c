/** Work of the same key one after the other, of different keys side by side. */
export class Order {
  readonly #last = new Map<string, Promise<unknown>>();

  /** How many keys have work under way. */
  get size(): number {
    return this.#last.size;
  }

  /** Runs `work` when everything of this key that was asked for before has ended. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const own = before.then(work, work);
    this.#last.set(key, own);
    try {
      return await own;
    } finally {
      if (this.#last.get(key) === own) this.#last.delete(key);
    }
  }
}
