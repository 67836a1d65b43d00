// Codes are checked one after the other, in the order in which they were scanned: a
// scanner that types does not wait for answers. How many wait is bounded.

/** More than anybody scans while one answer is on its way. */
export const MAX_WAITING = 8;

export class Turns {
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;
  #missed = 0;
  readonly #tell: (hasMissed: boolean) => void;

  /** Tells when a task was refused, and when one that came later is done. */
  constructor(tell: (hasMissed: boolean) => void) {
    this.#tell = tell;
  }

  /** Runs the task after those before it; false, and nothing is done, when too many wait. */
  take(task: () => Promise<void>): boolean {
    if (this.#waiting >= MAX_WAITING) {
      this.#missed += 1;
      this.#tell(true);
      return false;
    }
    const missedBefore = this.#missed;
    this.#waiting += 1;
    this.#last = this.#last.then(task).finally(() => {
      this.#waiting -= 1;
      if (this.#missed === missedBefore) this.#tell(false);
    });
    return true;
  }
}
