/** What is to be done when: a binary heap of points in time, for many timers of one clock. */

export interface Entry<T> {
  readonly at: number;
  readonly item: T;
}

interface Placed<T> extends Entry<T> {
  place: number;
}

export class TimerQueue<T> {
  readonly #heap: Placed<T>[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest, left where it is. */
  get first(): Entry<T> | undefined {
    return this.#heap[0];
  }

  /** What is returned can be taken out again. */
  put(at: number, item: T): Entry<T> {
    const entry: Placed<T> = { at, item, place: this.#heap.length };
    this.#heap.push(entry);
    this.#rise(entry);
    return entry;
  }

  /** Absence is fine. */
  remove(entry: Entry<T>): void {
    const { place } = entry as Placed<T>;
    if (this.#heap[place] !== entry) return;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#set(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  /** Takes out the earliest, if its time has come. */
  takeDue(now: number): T | undefined {
    const { first } = this;
    if (first === undefined || first.at > now) return undefined;
    this.remove(first);
    return first.item;
  }

  #set(entry: Placed<T>, place: number): void {
    this.#heap[place] = entry;
    entry.place = place;
  }

  #rise(entry: Placed<T>): void {
    while (entry.place > 0) {
      const above = (entry.place - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || parent.at <= entry.at) return;
      this.#set(parent, entry.place);
      this.#set(entry, above);
    }
  }

  #sink(entry: Placed<T>): void {
    for (;;) {
      const left = this.#heap[2 * entry.place + 1];
      const right = this.#heap[2 * entry.place + 2];
      const child = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (child === undefined || child.at >= entry.at) return;
      const { place } = child;
      this.#set(child, entry.place);
      this.#set(entry, place);
    }
  }
}
