// Which of the many pictures of one code is a new scan. A camera sees a code in every
// frame as long as somebody holds it there; it is checked once, and again only after it
// was gone for a while, so that an answer is not at once replaced by "already used".

/** A code that comes back sooner is still the same one. */
export const GONE_MS = 3_000;

export class Sightings {
  /** Of each code in view; two may lie before the camera. No more than were seen in `GONE_MS`. */
  readonly #lastSeen = new Map<string, number>();

  /** Whether this sighting is to be checked. */
  isNew(code: string, nowMs: number): boolean {
    for (const [seen, atMs] of this.#lastSeen) {
      if (nowMs - atMs >= GONE_MS) this.#lastSeen.delete(seen);
    }
    const isNew = !this.#lastSeen.has(code);
    this.#lastSeen.set(code, nowMs);
    return isNew;
  }
}
