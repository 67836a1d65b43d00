// Which of the many pictures of one code is a new scan. A camera sees a code in every
// frame as long as somebody holds it there; it is checked once, and again only after it
// was gone for a while, so that an answer is not at once replaced by "already used".

/** A code that comes back sooner is still the same one. */
export const GONE_MS = 3_000;

export class Sightings {
  #last: { code: string; atMs: number } | null = null;

  /** Whether this sighting is to be checked. */
  isNew(code: string, nowMs: number): boolean {
    const last = this.#last;
    this.#last = { code, atMs: nowMs };
    return last === null || last.code !== code || nowMs - last.atMs >= GONE_MS;
  }
}
