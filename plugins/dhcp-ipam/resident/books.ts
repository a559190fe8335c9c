/** Writing leases down without waiting for the disk: what comes together goes into one transaction. */
import type { ResidentHost } from '../../../lib/cni/resident.ts';
import { formatKey } from '../../../ipam/record.ts';
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
  readonly resolve: () => void;
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

  /** On disk when it resolves. */
  async put(record: DhcpLeaseRecord): Promise<void> {
    return this.#note({ key: record, record });
  }

  async remove(key: AttachmentKey): Promise<void> {
    return this.#note({ key, record: undefined });
  }

  async recall(): Promise<readonly DhcpLeaseRecord[]> {
    return runTask<DhcpLeaseRecord[]>(this.#host, 'recall', {});
  }

  async #note(entry: Entry): Promise<void> {
    this.#entries.set(formatKey(entry.key), entry);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
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
      const remove = entries.filter(({ record }) => record === undefined).map(({ key }) => keyOf(key));
      try {
        await runTask<undefined>(this.#host, 'keep', { put, remove } satisfies Entries);
        for (const { resolve } of waiting) resolve();
      } catch (error) {
        for (const { reject } of waiting) reject(error);
      }
    }
    this.#writing = false;
  }
}

function keyOf({ network, containerId, ifname }: AttachmentKey): AttachmentKey {
  return { network, containerId, ifname };
}
