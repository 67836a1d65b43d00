// What a refused hold means.
import { describe, expect, it } from 'vitest';
import type { Failure } from '../lib/http.ts';
import { refusalOf } from './refusal.ts';

const failed = (part: Partial<Failure>): Failure => ({
  ok: false,
  status: 409,
  code: 'seat_unavailable',
  message: 'These seats are gone.',
  retryAfterMs: null,
  body: {},
  ...part,
});

describe('refusalOf', () => {
  it('names seats that are gone and others to take', () => {
    const body = { unavailable_seats: ['a1', 7], available_alternatives: ['a2'] };
    const refusal = refusalOf(failed({ body }));
    expect(refusal).toMatchObject({ gone: ['a1'], alternatives: ['a2'], mayRepeat: false });
  });

  it('leads those who are not let in to the line', () => {
    expect(refusalOf(failed({ status: 401, code: 'access_required' })).goToLine).toBe(true);
    const queued = refusalOf(failed({ status: 429, code: 'in_queue', retryAfterMs: 9_000 }));
    expect(queued).toMatchObject({ goToLine: true, mayRepeat: false });
    expect(queued.sentence).toBe('These seats are gone.');
  });

  it('says how long to wait where waiting helps, and keeps the name of the hold', () => {
    const limited = refusalOf(
      failed({
        status: 429,
        code: 'rate_limit_exceeded',
        message: 'Too fast.',
        retryAfterMs: 1_000,
      }),
    );
    expect(limited.sentence).toBe('Too fast. Please try again in 1 second.');
    expect(limited.mayRepeat).toBe(true);
    expect(refusalOf(failed({ status: 0 })).mayRepeat).toBe(true);
  });
});
