/** What was done, so that it can be taken back: last in, first out. */

export interface UndoFailure {
  readonly what: string;
  readonly error: unknown;
}

export class UndoStack {
  readonly #steps: { what: string; undo: () => void }[] = [];

  /** Remembers how to take back an effect that has just been made. */
  push(what: string, undo: () => void): void {
    this.#steps.push({ what, undo });
  }

  /** Success: nothing will be taken back. */
  disarm(): void {
    this.#steps.length = 0;
  }

  /** Takes everything back, going on after failures, and returns those. */
  run(): UndoFailure[] {
    const failures: UndoFailure[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        step.undo();
      } catch (error) {
        failures.push({ what: step.what, error });
      }
    }
    return failures;
  }
}
