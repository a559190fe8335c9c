/**
 * A place where commands run: the host, the world outside, or a container. All share the host's mounts and processes
 * and differ in the network namespace.
 */
import { Background, plainEnvironment, runProcess } from './harness-process.ts';
import type { Outcome, RunOptions } from './harness-process.ts';

export class Place {
  readonly name: string;
  /** The network namespace's path as the host sees it. */
  readonly netnsPath: string;
  readonly #enter: readonly string[];

  /** `pid` is the host's process 1 as seen from the machine. */
  constructor(pid: number, name: string, netnsPath: string) {
    this.name = name;
    this.netnsPath = netnsPath;
    this.#enter = [
      'nsenter',
      `--target=${pid}`,
      '--mount',
      '--pid',
      `--net=/proc/${pid}/root${netnsPath}`,
      '--',
    ];
  }

  /** Runs a command to its end, whatever its exit status. */
  async run(argv: readonly string[], options?: RunOptions): Promise<Outcome> {
    return runProcess([...this.#enter, ...argv], options);
  }

  /** Runs a command that must succeed; returns its standard output. */
  async must(argv: readonly string[], options?: RunOptions): Promise<string> {
    const outcome = await this.run(argv, options);
    if (outcome.code === 0) return outcome.stdout;
    throw new Error(
      `${this.name}: ${argv.join(' ')}: exit ${outcome.code}\n${outcome.stderr}${outcome.stdout}`,
    );
  }

  /** Runs lines of shell that must succeed. */
  async shell(script: string, options?: Omit<RunOptions, 'input'>): Promise<string> {
    return this.must(['sh', '-eu', '-s'], { ...options, input: script });
  }

  /** Starts a process that stays; it ends with `stop()` or with the host. */
  start(argv: readonly string[], env: Readonly<Record<string, string>> = plainEnvironment): Background {
    return new Background([...this.#enter, ...argv], env);
  }

  /** `ip -j …`: the parsed answer, or the bare text for commands that print no JSON. */
  async ip(...args: string[]): Promise<IpObject[]> {
    const text = await this.must(['ip', '-j', ...args]);
    return text.trim() === '' ? [] : (JSON.parse(text) as IpObject[]);
  }

  /** `nft -j list ruleset`, the envelope taken off. */
  async nft(): Promise<NftObject[]> {
    const parsed = JSON.parse(await this.must(['nft', '-j', 'list', 'ruleset'])) as { nftables: NftObject[] };
    return parsed.nftables.filter((object) => !('metainfo' in object));
  }
}

/** One object of iproute2's JSON output; its keys are iproute2's. */
export interface IpObject {
  readonly ifname?: string;
  readonly address?: string;
  readonly mtu?: number;
  readonly flags?: readonly string[];
  readonly operstate?: string;
  readonly master?: string;
  readonly addr_info?: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
  readonly dst?: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_slave_data?: Readonly<Record<string, unknown>>;
  };
  readonly [key: string]: unknown;
}

/** One object of libnftables-json(5): a single key naming its kind. */
export type NftObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
