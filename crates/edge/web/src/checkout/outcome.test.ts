// What each answer to a payment means: decided, to be followed, or unknown.
import { describe, expect, it } from 'vitest';
import type { Order } from '../lib/api.ts';
import type { Answer } from '../lib/http.ts';
import { outcomeOf, outcomeOfOrder } from './outcome.ts';

const ORDER: Order = { order_number: 'U-1', status: 'confirmed' };
const failed = (status: number, body: Record<string, unknown> = {}): Answer<Order> => ({
  ok: false,
  status,
  code: 'x',
  message: 'The bank said no.',
  retryAfterMs: null,
  body,
});

describe('outcomeOf', () => {
  it('follows what is not decided, and confirms what is', () => {
    expect(outcomeOf({ ok: true, status: 200, body: ORDER }).kind).toBe('confirmed');
    const pending: Order = { ...ORDER, status: 'pending', poll_after_ms: 700 };
    expect(outcomeOf({ ok: true, status: 202, body: pending })).toEqual({
      kind: 'follow',
      orderNumber: 'U-1',
      afterMs: 700,
    });
  });

  it('never calls an unknown end a failure', () => {
    for (const status of [0, 429, 500, 502, 503]) {
      expect(outcomeOf(failed(status)).kind, String(status)).toBe('unknown');
    }
  });

  it('tells a refusal from an expired hold and from lost access', () => {
    expect(outcomeOf(failed(402))).toMatchObject({ kind: 'declined', retryAllowed: true });
    expect(outcomeOf(failed(402, { retry_allowed: false }))).toMatchObject({ retryAllowed: false });
    expect(outcomeOf(failed(410)).kind).toBe('expired');
    expect(outcomeOf(failed(401)).kind).toBe('refused');
  });

  it('says why a followed order failed', () => {
    const outcome = outcomeOfOrder({ ...ORDER, status: 'failed', reason: 'card declined' });
    expect(outcome).toMatchObject({ kind: 'declined' });
    expect(outcome.kind === 'declined' && outcome.sentence).toContain('(card declined)');
  });
});
