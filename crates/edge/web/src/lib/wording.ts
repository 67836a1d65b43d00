// Numbers in plain words. The server words the same figures before the script runs, so
// both are held to the cases in testdata/wording.json.
import type { Money, SlipReason, WaitAccuracy, WaitInterval } from './api.ts';

/** From here on waits are told in half hours. */
const HOURS_FROM_MINUTES = 90;
/** Up to here a wait is told to the minute, beyond in steps of five. */
const EXACT_UP_TO_MINUTES = 15;
const DAY_MINUTES = 24 * 60;

/** An expected wait: `about 4 to 7 minutes`. */
export function waitWords(wait: WaitInterval): string {
  const highSeconds = wait.high;
  const lowSeconds = Math.min(wait.low, wait.high);
  if (highSeconds <= 60) return 'less than a minute';
  const low = toStep(Math.floor(lowSeconds / 60), Math.floor);
  const high = toStep(Math.ceil(highSeconds / 60), Math.ceil);
  if (low >= DAY_MINUTES) return 'more than a day';
  if (low === 0) return `up to ${duration(high)}`;
  if (low === high) return `about ${duration(high)}`;
  const sameUnit = low < HOURS_FROM_MINUTES === high < HOURS_FROM_MINUTES;
  return `about ${sameUnit ? figure(low) : duration(low)} to ${duration(high)}`;
}

function toStep(minutes: number, round: (n: number) => number): number {
  const step = minutes <= EXACT_UP_TO_MINUTES ? 1 : minutes <= HOURS_FROM_MINUTES ? 5 : 30;
  return round(minutes / step) * step;
}

/** Minutes as the bare figure of their unit: `7`, or `1½` for hours. */
function figure(minutes: number): string {
  if (minutes < HOURS_FROM_MINUTES) return String(minutes);
  return `${Math.floor(minutes / 60)}${minutes % 60 === 0 ? '' : '½'}`;
}

function duration(minutes: number): string {
  const unit = minutes === 1 ? 'minute' : minutes < HOURS_FROM_MINUTES ? 'minutes' : 'hours';
  return `${figure(minutes)} ${unit}`;
}

export function countWords(n: number): string {
  return Math.round(n).toLocaleString('en');
}

export function aheadWords(ahead: number): string {
  if (ahead === 0) return 'You are next';
  if (ahead === 1) return '1 person is ahead of you';
  return `${countWords(ahead)} people are ahead of you`;
}

export function reasonWords(reason: SlipReason): string {
  switch (reason) {
    case 'paused':
      return 'The line was paused for a while, so the wait became longer.';
    case 'backend_slowed':
      return 'Buying takes longer than usual at the moment, so people are let in more slowly.';
    case 'people_returned':
      return 'Some people ahead of you came back to their places, so the wait became longer.';
    case 'spoken_for':
      return 'Tickets may run out before it is your turn, so no time is shown. You keep your place, and a time is shown again as soon as enough tickets are free.';
  }
}

/** How true the told waits were: `88 % held, half of them within 6 % (312 fans so far)`. */
export function accuracyWords(waits: WaitAccuracy): string {
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const fans = waits.judged === 1 ? '1 fan' : `${countWords(waits.judged)} fans`;
  return `${percent(waits.held_share)} held, half of them within ${percent(waits.median_error)} (${fans} so far)`;
}

export function moneyWords(money: Money): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency: money.currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(money.amount / 10 ** digits);
}

/** Minutes and seconds left: `4:05`, `1:02:03`, `2 days 03:04:05`. */
export function clockWords(leftMs: number): string {
  const total = Math.max(0, Math.ceil(leftMs / 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const days = Math.floor(total / 86_400);
  const hours = Math.floor(total / 3_600) % 24;
  const minutes = Math.floor(total / 60) % 60;
  const seconds = two(total % 60);
  if (days > 0) {
    return `${days} ${days === 1 ? 'day' : 'days'} ${two(hours)}:${two(minutes)}:${seconds}`;
  }
  return hours > 0 ? `${hours}:${two(minutes)}:${seconds}` : `${minutes}:${seconds}`;
}

/** A remaining time as it is announced: `2 minutes`, `30 seconds`. */
export function spokenTime(leftMs: number): string {
  const seconds = Math.round(leftMs / 1000);
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes === 1 ? '1 minute' : `${minutes} minutes`;
}
