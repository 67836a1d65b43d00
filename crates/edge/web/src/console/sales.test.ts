// Sales per minute: gaps are minutes without a sale, and the hour is told in words.
import { describe, expect, it } from 'vitest';
import { type Sales, SHOWN_MINUTES, salesColumns, salesWords } from './sales.ts';

const SALES: Sales = {
  currency: 'EUR',
  data: [
    { minute: '2026-11-21T18:58:00Z', orders: 1, tickets: 1, amount: 8_900 },
    { minute: '2026-11-21T19:00:00Z', orders: 2, tickets: 5, amount: 34_500 },
  ],
  at: '2026-11-21T19:00:42.5Z',
};

describe('salesColumns', () => {
  it('counts each minute of the hour, up to this one', () => {
    const [at, tickets] = salesColumns(SALES);
    expect(at).toHaveLength(SHOWN_MINUTES);
    expect(at.at(-1)).toBe(Date.parse('2026-11-21T19:00:00Z') / 1000);
    expect(tickets.slice(-4)).toEqual([0, 1, 0, 5]);
    expect(tickets.slice(0, -3).every((each) => each === 0)).toBe(true);
  });
});

describe('salesWords', () => {
  it('sums the hour', () => {
    expect(salesWords(SALES)).toBe('In the last hour: 6 tickets in 3 orders, €434.00.');
    expect(salesWords({ ...SALES, data: [] })).toBe('Nothing was sold in the last hour.');
    const one = { ...SALES, data: SALES.data.slice(0, 1) };
    expect(salesWords(one)).toBe('In the last hour: 1 ticket in 1 order, €89.00.');
  });
});
