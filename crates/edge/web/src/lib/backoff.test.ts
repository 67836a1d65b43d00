// Tries again ever later, bounded, and never in step.
import { describe, expect, it } from 'vitest';
import { backoffMs, jitteredMs } from './backoff.ts';

describe('backoff', () => {
  it('doubles up to its bound, however many attempts there were', () => {
    const longest = [0, 1, 2, 3, 4, 50, 10_000].map((attempt) => backoffMs(attempt, 1));
    expect(longest).toEqual([3_000, 6_000, 12_000, 24_000, 30_000, 30_000, 30_000]);
  });

  it('spreads over almost the whole delay but never comes at once', () => {
    expect(backoffMs(0, 0)).toBe(300);
    expect(backoffMs(4, 0)).toBe(3_000);
    expect(backoffMs(4, 0.5)).toBeGreaterThan(15_000);
  });

  it('keeps a poll interval within a fifth', () => {
    expect(jitteredMs(5_000, 0)).toBe(4_000);
    expect(jitteredMs(5_000, 0.999_999)).toBe(6_000);
  });
});
