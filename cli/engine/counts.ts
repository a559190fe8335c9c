/** What has been asked since the engine began. */
export interface Counts {
  served: number;
  failed: number;
  refused: number;
  late: number;
  running: number;
  waiting: number;
}

export function noCounts(): Counts {
  return { served: 0, failed: 0, refused: 0, late: 0, running: 0, waiting: 0 };
}
