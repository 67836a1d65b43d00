// The server's clock rules, even where a visitor's own is wrong or the network slow.
import { describe, expect, it } from 'vitest';
import { ServerClock } from './clock.ts';

const SERVER = Date.parse('2026-11-21T18:00:00Z');
const dateHeader = (ms: number): string => new Date(ms).toUTCString();

describe('ServerClock', () => {
  it('reads deadlines rightly with a local clock an hour off', () => {
    const local = SERVER - 3_600_000;
    const clock = new ServerClock(SERVER, local);
    expect(clock.now(local + 10_000)).toBe(SERVER + 10_500);
  });

  it('corrects itself when the local clock jumps', () => {
    const clock = new ServerClock(SERVER, SERVER);
    clock.observe(dateHeader(SERVER + 60_000), SERVER + 5_000, SERVER + 5_200);
    expect(clock.now(SERVER + 5_100)).toBe(SERVER + 60_500);
  });

  it('does not follow noise smaller than a slow response explains', () => {
    const clock = new ServerClock(SERVER, SERVER);
    clock.observe(dateHeader(SERVER + 1_000), SERVER, SERVER + 8_000);
    expect(clock.now(SERVER)).toBe(SERVER + 500);
  });

  it('ignores a response without a date', () => {
    const clock = new ServerClock(SERVER, SERVER);
    clock.observe(null, 0, 0);
    clock.observe('yesterday', 0, 0);
    expect(clock.now(SERVER)).toBe(SERVER + 500);
  });
});
