// How long the server asks to wait, and which failures pass by themselves.
import { describe, expect, it } from 'vitest';
import { type Failure, isPassing, retryAfterMs } from './http.ts';

const NOW = Date.parse('2026-11-21T18:00:00Z');
const failed = (status: number): Failure => ({
  ok: false,
  status,
  code: 'x',
  message: 'x',
  retryAfterMs: null,
  body: {},
});

describe('retryAfterMs', () => {
  it('reads seconds and dates, and nothing else', () => {
    expect(retryAfterMs('7', NOW)).toBe(7_000);
    expect(retryAfterMs('Sat, 21 Nov 2026 18:00:09 GMT', NOW)).toBe(9_000);
    expect(retryAfterMs('Sat, 21 Nov 2026 17:00:00 GMT', NOW)).toBe(0);
    expect(retryAfterMs('later', NOW)).toBeNull();
    expect(retryAfterMs(null, NOW)).toBeNull();
  });
});

describe('isPassing', () => {
  it('is so for silence, overload and trouble, not for a decision', () => {
    expect([0, 429, 500, 503].map((status) => isPassing(failed(status)))).not.toContain(false);
    expect([400, 401, 402, 409, 410].map((status) => isPassing(failed(status)))).not.toContain(
      true,
    );
  });
});
