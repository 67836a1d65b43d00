// When to try again: ever later, and never all at once. After an outage a hundred
// thousand pages come back, so each waits a random part of its delay.

const FIRST_DELAY_MS = 3_000;
/** However lucky the draw, not at once. */
const SHORTEST_SHARE = 0.1;
const LONGEST_DELAY_MS = 30_000;
/** Doubling stops here, long past the longest delay. */
const MAX_DOUBLINGS = 10;

/** The delay before attempt number `attempt` (from 0), for a random number in [0, 1). */
export function backoffMs(attempt: number, random: number): number {
  const doubled = FIRST_DELAY_MS * 2 ** Math.min(attempt, MAX_DOUBLINGS);
  const ceiling = Math.min(doubled, LONGEST_DELAY_MS);
  return Math.round(ceiling * (SHORTEST_SHARE + (1 - SHORTEST_SHARE) * random));
}

/** A poll interval, give or take a fifth. */
export function jitteredMs(interval: number, random: number): number {
  return Math.round(interval * (0.8 + random * 0.4));
}
