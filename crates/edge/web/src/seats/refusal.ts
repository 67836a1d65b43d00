// What a refused hold means to a fan, and where to go from it. Pure.
import type { Failure } from '../lib/http.ts';

export interface Refusal {
  sentence: string;
  /** Seats that are gone. */
  gone: string[];
  /** Seats that could be taken instead. */
  alternatives: string[];
  /** The fan has to be in line first. */
  goToLine: boolean;
  /** The same call may be sent again and would find its own earlier hold. */
  mayRepeat: boolean;
}

export function refusalOf(failure: Failure): Refusal {
  const goToLine = failure.code === 'in_queue' || failure.code === 'access_required';
  return {
    sentence: withWait(failure),
    gone: ids(failure.body.unavailable_seats),
    alternatives: ids(failure.body.available_alternatives),
    goToLine,
    mayRepeat: failure.status === 0 || failure.status >= 500 || isRateLimited(failure),
  };
}

function isRateLimited(failure: Failure): boolean {
  return failure.status === 429 && failure.code !== 'in_queue';
}

function withWait(failure: Failure): string {
  const seconds = Math.ceil((failure.retryAfterMs ?? 0) / 1000);
  if (seconds === 0 || failure.code === 'in_queue') return failure.message;
  const unit = seconds === 1 ? 'second' : 'seconds';
  return `${failure.message} Please try again in ${seconds} ${unit}.`;
}

function ids(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return (value as unknown[]).filter((each): each is string => typeof each === 'string');
}
