// The event page: counts down to the opening, and fetches itself again when it comes.
import '../site/main.ts';
import { jitteredMs } from '../lib/backoff.ts';
import { pageClock } from '../lib/clock.ts';
import { countdown } from '../lib/countdown.ts';
import { watchJoins } from './join.ts';

/** Everybody's countdown ends at once; their reloads spread over about this long. */
const RELOAD_SPREAD_MS = 3_000;

const page = document.querySelector('main');
if (page?.dataset.event) watchJoins(page.dataset.event);
const element = document.querySelector<HTMLElement>('[data-countdown]');
if (page && element) {
  const reload = (): void => {
    setTimeout(() => location.reload(), jitteredMs(RELOAD_SPREAD_MS, Math.random()));
  };
  const timer = countdown({ element, clock: pageClock(page), onEnd: reload });
  timer.setDeadline(element.dataset.countdown ?? null);
}
