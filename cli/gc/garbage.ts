/** What `netmoor gc` finds and reports (schemas/cli-gc.schema.json). */

export interface Garbage {
  readonly kind:
    | 'attachment'
    | 'rules'
    | 'forwarding'
    | 'interface'
    | 'bridge'
    | 'address'
    | 'network'
    | 'lease';
  /** In words: "web/c1/eth0", "bridge nm-web". */
  readonly what: string;
  /** Why it is nobody's. */
  readonly reason: string;
}

export interface Failure {
  readonly what: string;
  readonly problem: string;
}

export interface Collection {
  readonly dryRun: boolean;
  /** What was removed, or would be. */
  readonly garbage: readonly Garbage[];
  readonly failures: readonly Failure[];
  /** Containers that live and were on no record: put on record again, or with a dry run such as would be. */
  readonly recovered: readonly string[];
  /** Containers that live and are on no record, and were left alone. */
  readonly unrecorded: readonly string[];
}
