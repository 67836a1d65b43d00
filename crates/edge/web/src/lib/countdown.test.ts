// A warning is given once, when it is passed, also if ticks were missed meanwhile.
import { describe, expect, it } from 'vitest';
import { passedWarning } from './countdown.ts';

const WARNINGS = [60_000, 30_000, 10_000];

describe('passedWarning', () => {
  it('is given at the tick that passes it, and not again', () => {
    expect(passedWarning(WARNINGS, 60_500, 59_500)).toBe(60_000);
    expect(passedWarning(WARNINGS, 59_500, 58_500)).toBeNull();
  });

  it('gives only the latest of several passed while the tab slept', () => {
    expect(passedWarning(WARNINGS, 70_000, 9_000)).toBe(10_000);
  });

  it('says nothing when the time is over', () => {
    expect(passedWarning(WARNINGS, 70_000, 0)).toBeNull();
  });
});
