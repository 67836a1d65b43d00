// Codes are checked one after the other, in the order in which they were scanned: a
// scanner that types does not wait for answers. How many wait is bounded.

/** More than anybody scans while one answer is on its way. */
export const MAX_WAITING = 8;

export class Turns {
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** Runs the task after those before it; false, and nothing is done, when too many wait. */
  take(task: () => Promise<void>): boolean {
    if (this.#waiting >= MAX_WAITING) return false;
    this.#waiting += 1;
    this.#last = this.#last.then(task).finally(() => {
      this.#waiting -= 1;
    });
    return true;
  }
}
