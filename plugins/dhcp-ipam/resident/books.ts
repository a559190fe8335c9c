/** Writing leases down without waiting for the disk: what comes together goes into one transaction. */
import type { ResidentHost } from '../../../lib/cni/resident.ts';
import { bareKey, formatKey } from '../../../ipam/record.ts';
import type { AttachmentKey } from '../../../ipam/record.ts';
import type { DhcpLeaseRecord } from '../../../ipam/dhcp/record.ts';
import type { Entries } from '../tasks/books.ts';
import { runTask } from './run-task.ts';

interface Entry {
  readonly key: AttachmentKey;
  /** Undefined: to be removed. */
  readonly record: DhcpLeaseRecord | undefined;
}

interface Waiting {
  readonly name: string;
  readonly resolve: (gone: string | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class Books {
  readonly #host: ResidentHost;
  #entries = new Map<string, Entry>();
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(host: ResidentHost) {
    this.#host = host;
  }

  /** On disk when it resolves: to why a plugin has marked its container as gone meanwhile, if one has. */
  async put(record: DhcpLeaseRecord): Promise<string | undefined> {
    return this.#note({ key: record, record });
  }

  async remove(key: AttachmentKey): Promise<void> {
    await this.#note({ key, record: undefined });
  }

  async recall(): Promise<readonly DhcpLeaseRecord[]> {
    return runTask<DhcpLeaseRecord[]>(this.#host, 'recall', {});
  }

  async #note(entry: Entry): Promise<string | undefined> {
    const name = formatKey(entry.key);
    this.#entries.set(name, entry);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ name, resolve, reject });
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    // What else comes in this turn of the event loop comes along.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const [entries, waiting] = [[...this.#entries.values()], this.#waiting];
      this.#entries = new Map();
      this.#waiting = [];
      const put = entries.flatMap(({ record }) => record ?? []);
      const remove = entries.filter(({ record }) => record === undefined).map(({ key }) => bareKey(key));
      try {
        const batch: Entries = { put, remove };
        const marks = await runTask<(string | null)[]>(this.#host, 'keep', batch);
        const gone = new Map(put.map((record, index) => [formatKey(record), marks[index] ?? undefined]));
        for (const { name, resolve } of waiting) resolve(gone.get(name));
      } catch (error) {
        for (const { reject } of waiting) reject(error);
      }
    }
    this.#writing = false;
  }
}
