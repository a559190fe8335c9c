/** The way to a client's link: into its container, or beside it on the host when that is gone. */
import { NetmoorError } from '../../../lib/base/errors.ts';
import type { ResidentHost } from '../../../lib/cni/resident.ts';
import { closeAside } from '../../../lib/system/close-aside.ts';
import { ownNetns } from '../../../lib/system/netns.ts';
import type { Entered, Whereabouts } from '../tasks/enter.ts';
import type { Segment } from '../tasks/whence.ts';
import type { Base } from './base.ts';
import { runTask } from './run-task.ts';
import type { Place } from './transport4.ts';

export class Entrance {
  readonly #base: Base;
  readonly #host: ResidentHost;
  /** Opened once by ADD, for the first socket. */
  #spare: Entered | undefined;
  #elsewhere: Segment | undefined;
  #gone: string | undefined;

  constructor(base: Base, host: ResidentHost) {
    this.#base = base;
    this.#host = host;
  }

  /** Why the container's namespace is gone, once that has been found out. */
  get gone(): string | undefined {
    return this.#gone;
  }

  get whereabouts(): Whereabouts {
    const { netns, ifname, link } = this.#base;
    return { path: netns.path, inode: netns.inode, ifname, link };
  }

  /** Is used next, instead of entering once more. */
  offer(entered: Entered): void {
    this.#spare = entered;
  }

  /** What was offered and not used. */
  forget(): void {
    if (this.#spare !== undefined) closeAside(this.#spare.fd);
    this.#spare = undefined;
  }

  /** Leads there from now on; undefined: into the container. */
  leadTo(elsewhere: Segment | undefined): void {
    this.#elsewhere = elsewhere;
  }

  /** The caller closes the namespace, unless it is our own. */
  async place(): Promise<Place> {
    const { link, netns } = this.#base;
    if (this.#elsewhere !== undefined) return { netns: ownNetns(), ...this.#elsewhere, mac: link.mac };
    const entered = this.#spare ?? (await this.enter());
    this.#spare = undefined;
    const { fd, inode, ifname, index } = entered;
    return { netns: { fd, path: netns.path, id: inode }, ifname, index, mac: link.mac };
  }

  async enter(): Promise<Entered> {
    try {
      return await runTask<Entered>(this.#host, 'enter', this.whereabouts);
    } catch (error) {
      if (error instanceof NetmoorError && error.kind === 'bad-netns') this.#gone = error.message;
      throw error;
    }
  }
}
