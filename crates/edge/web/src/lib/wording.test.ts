// The script must word figures as the server does: both read testdata/wording.json.
import { describe, expect, it } from 'vitest';
import cases from '../../testdata/wording.json';
import type { SlipReason } from './api.ts';
import {
  accuracyWords,
  aheadWords,
  clockWords,
  countWords,
  moneyWords,
  reasonWords,
  spokenTime,
  waitWords,
} from './wording.ts';

describe('wording', () => {
  it.each(cases.wait)('wait of %s to %s seconds is "%s"', (low, high, words) => {
    expect(waitWords({ low: Number(low), high: Number(high) })).toBe(words);
  });

  it.each(cases.reason)('%s is "%s"', (reason, words) => {
    expect(reasonWords(reason as SlipReason)).toBe(words);
  });

  it.each(cases.count)('%s is "%s"', (n, words) => {
    expect(countWords(Number(n))).toBe(words);
  });

  it.each(cases.money)('%s %s is "%s"', (amount, currency, words) => {
    expect(moneyWords({ amount: Number(amount), currency: String(currency) })).toBe(words);
  });

  it('tells who is ahead', () => {
    expect(aheadWords(0)).toBe('You are next');
    expect(aheadWords(1)).toBe('1 person is ahead of you');
    expect(aheadWords(1234)).toBe('1,234 people are ahead of you');
  });

  it('counts down to zero and not below', () => {
    expect(clockWords(-5_000)).toBe('0:00');
    expect(clockWords(1)).toBe('0:01');
    expect(clockWords(245_000)).toBe('4:05');
    expect(clockWords(3_723_000)).toBe('1:02:03');
    expect(clockWords((2 * 86_400 + 3_600) * 1000)).toBe('2 days 01:00:00');
  });

  it('speaks of remaining time in round words', () => {
    expect(spokenTime(29_800)).toBe('30 seconds');
    expect(spokenTime(60_000)).toBe('1 minute');
    expect(spokenTime(119_000)).toBe('2 minutes');
  });

  it('says how true the waits were', () => {
    const waits = { judged: 1_312, held_share: 0.876, median_error: 0.064 };
    expect(accuracyWords(waits)).toBe('88 % held, half of them within 6 % (1,312 fans so far)');
    expect(accuracyWords({ ...waits, judged: 1 })).toMatch(/\(1 fan so far\)$/);
  });
});
