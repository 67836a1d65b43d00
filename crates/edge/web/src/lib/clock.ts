// The server's clock, as seen from here. Deadlines are points in the server's time, and
// a visitor's own clock may be minutes off.

/** A header's date is cut to the second; its middle is the best guess. */
const HALF_A_SECOND_MS = 500;
/** Smaller differences are noise of the network. */
const NOTICEABLE_MS = 1_500;

export class ServerClock {
  #offsetMs = 0;

  /** From the server's time (to the second) and the local time at the same moment. */
  constructor(serverMs: number, localMs: number) {
    this.#offsetMs = serverMs + HALF_A_SECOND_MS - localMs;
  }

  now(localMs: number = Date.now()): number {
    return localMs + this.#offsetMs;
  }

  /** Corrects itself by the `Date` of a response. */
  observe(date: string | null, sentMs: number, receivedMs: number): void {
    const serverMs = Date.parse(date ?? '');
    if (Number.isNaN(serverMs)) return;
    const offsetMs = serverMs + HALF_A_SECOND_MS - (sentMs + receivedMs) / 2;
    const unsureMs = NOTICEABLE_MS + (receivedMs - sentMs) / 2;
    if (Math.abs(offsetMs - this.#offsetMs) > unsureMs) this.#offsetMs = offsetMs;
  }
}

/** The clock of a page that says in `data-now` when the server made it. */
export function pageClock(page: HTMLElement): ServerClock {
  const serverMs = Date.parse(page.dataset.now ?? '');
  const [navigation] = performance.getEntriesByType('navigation');
  const arrived = navigation instanceof PerformanceNavigationTiming ? navigation.responseStart : 0;
  const localMs = Date.now() - (performance.now() - arrived);
  return new ServerClock(Number.isNaN(serverMs) ? localMs : serverMs, localMs);
}
