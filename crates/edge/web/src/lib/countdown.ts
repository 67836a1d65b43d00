// A countdown to a point in the server's time. It is computed anew at each tick, because
// timers of a background tab come once a minute; warnings are given when passed.
import type { ServerClock } from './clock.ts';
import { clockWords } from './wording.ts';

const TICK_MS = 1_000;

export interface CountdownOptions {
  element: HTMLElement;
  clock: ServerClock;
  /** Remaining times at which to warn, in milliseconds. */
  warnings?: readonly number[];
  onWarning?: (leftMs: number) => void;
  onTick?: (leftMs: number) => void;
  onEnd?: () => void;
}

export interface Countdown {
  /** Counts to another point in time, or stops. */
  setDeadline(at: string | null): void;
}

/** The smallest warning that lies between the last tick and this one. */
export function passedWarning(
  warnings: readonly number[],
  beforeMs: number,
  leftMs: number,
): number | null {
  const passed = warnings.filter((warning) => beforeMs > warning && leftMs <= warning);
  return passed.length === 0 || leftMs <= 0 ? null : Math.min(...passed);
}

export function countdown(options: CountdownOptions): Countdown {
  let deadlineMs: number | null = null;
  let lastLeftMs = 0;
  let timer: ReturnType<typeof setInterval> | undefined;

  const tick = (): void => {
    if (deadlineMs === null) return;
    const leftMs = deadlineMs - options.clock.now();
    options.element.textContent = clockWords(leftMs);
    options.onTick?.(leftMs);
    const warning = passedWarning(options.warnings ?? [], lastLeftMs, leftMs);
    if (warning !== null) options.onWarning?.(leftMs);
    lastLeftMs = leftMs;
    if (leftMs <= 0) {
      stop();
      options.onEnd?.();
    }
  };

  const stop = (): void => {
    clearInterval(timer);
    deadlineMs = null;
  };

  document.addEventListener('visibilitychange', tick);

  return {
    setDeadline(at) {
      const nextMs = at === null ? null : Date.parse(at);
      if (nextMs === deadlineMs) return;
      stop();
      if (nextMs === null) return;
      deadlineMs = nextMs;
      // Only what passes from now on is warned of.
      lastLeftMs = nextMs - options.clock.now();
      options.element.dataset.ticking = '';
      timer = setInterval(tick, TICK_MS);
      tick();
    },
  };
}
