// What the answer to a commit means for the page. Pure.
import type { Order } from '../lib/api.ts';
import { type Answer, isPassing } from '../lib/http.ts';

export type Outcome =
  | { kind: 'confirmed'; orderNumber: string }
  /** The outcome is not known yet: ask for the order again after a while. */
  | { kind: 'follow'; orderNumber: string; afterMs: number }
  /** Decided, no money moved; the fan may try again with another attempt. */
  | { kind: 'declined'; sentence: string; retryAllowed: boolean }
  /** The hold is over. */
  | { kind: 'expired'; sentence: string }
  /** Nobody knows whether it arrived: the same attempt may be repeated. */
  | { kind: 'unknown'; sentence: string }
  /** Not let in any more, or not this fan's reservation. */
  | { kind: 'refused'; sentence: string };

const POLL_MS = 2_000;
const NEVER_TWICE = 'You will not be charged twice.';

export function outcomeOf(answer: Answer<Order>): Outcome {
  if (answer.ok) return outcomeOfOrder(answer.body, answer.status);
  const sentence = answer.message;
  if (isPassing(answer)) return { kind: 'unknown', sentence: `${sentence} ${NEVER_TWICE}` };
  switch (answer.status) {
    case 402:
      return { kind: 'declined', sentence, retryAllowed: answer.body.retry_allowed !== false };
    case 410:
      return { kind: 'expired', sentence };
    case 400:
    case 422:
      return { kind: 'declined', sentence, retryAllowed: true };
    default:
      return { kind: 'refused', sentence };
  }
}

/** An order that is followed: pending until it is decided. */
export function outcomeOfOrder(order: Order, status = 200): Outcome {
  const orderNumber = order.order_number;
  if (status === 202 || order.status === 'pending') {
    return { kind: 'follow', orderNumber, afterMs: order.poll_after_ms ?? POLL_MS };
  }
  if (order.status === 'confirmed') return { kind: 'confirmed', orderNumber };
  const why = order.reason ? ` (${order.reason.replaceAll('_', ' ')})` : '';
  return {
    kind: 'declined',
    sentence: `The payment did not go through${why}. No money was taken.`,
    retryAllowed: true,
  };
}
