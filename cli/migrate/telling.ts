/** What a migration says of each key that it has touched, or that means something else from now on. */

/** One item of schemas/cli-network.schema.json. */
export interface Change {
  /** The plugin, as it was called before. */
  readonly plugin: string;
  /** Absent: the plugin as a whole. */
  readonly key?: string;
  /** left: where it was. meaning: as it was, but it does not mean quite the same any more. */
  readonly change: 'renamed' | 'moved' | 'added' | 'changed' | 'dropped' | 'left' | 'meaning';
  readonly text: string;
}

export type Tell = (change: Change) => void;
