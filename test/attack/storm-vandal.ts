/**
 * What others do to the host of a storm behind netmoor's back: rules flushed, the firewall loaded anew, links deleted.
 */
import type { Host } from '../kernel/harness.ts';

/** A host's own firewall, which drops what is forwarded; where it is loaded anew, what others put into it is gone. */
const FIREWALL = `table inet host_firewall {
  chain forward { type filter hook forward priority filter; policy drop; ct state established,related accept; }
  chain input { type filter hook input priority filter; policy accept; ct state invalid drop; }
}
`;

/** Files for `nft -f`, which are transactions. */
const DISTURBANCES: Readonly<Record<string, string>> = {
  'firewall reloaded': `table inet host_firewall\ndelete table inet host_firewall\n${FIREWALL}`,
  // As /etc/nftables.conf begins.
  'firewall reloaded from scratch': `flush ruleset\n${FIREWALL}`,
  'own table deleted': 'table inet netmoor\ndelete table inet netmoor\n',
  'own rules flushed': 'table inet netmoor\nflush table inet netmoor\n',
};

export async function loadFirewall(host: Host): Promise<void> {
  await host.must(['nft', '-f', '-'], { input: DISTURBANCES['firewall reloaded'] ?? '' });
}

/** Also knows which networks' rules nobody has touched since their last ADD, which repairs them. */
export class Vandal {
  readonly #host: Host;
  #clock = 0;
  #disturbed = 0;
  readonly #mended = new Map<number, number>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** What `random` chooses, in words. */
  async disturb(random: () => number): Promise<string> {
    const names = Object.keys(DISTURBANCES);
    const what = names[Math.floor(random() * names.length)] ?? '';
    this.#disturbed = ++this.#clock;
    await this.#host.must(['nft', '-f', '-'], { input: DISTURBANCES[what] ?? '' });
    this.#disturbed = ++this.#clock;
    return what;
  }

  /** To be handed to `mended` by an ADD that has succeeded. */
  moment(): number {
    return ++this.#clock;
  }

  mended(network: number, since: number): void {
    this.#mended.set(network, Math.max(since, this.#mended.get(network) ?? 0));
  }

  isIntact(network: number): boolean {
    return this.#disturbed === 0 || (this.#mended.get(network) ?? 0) > this.#disturbed;
  }

  /** Deletes a link, on the host or in a container's namespace; false when there was none of that name. */
  async cut(name: string, netns?: string): Promise<boolean> {
    const where = netns === undefined ? [] : ['-n', netns];
    return (await this.#host.run(['ip', ...where, 'link', 'delete', 'dev', name])).code === 0;
  }
}
