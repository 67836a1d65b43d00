// A puzzle as the server makes it, solved as a browser does.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Puzzle, payloadOf, solve } from './puzzle.ts';

function puzzle(number: number, maxnumber: number): Puzzle {
  const salt = 'abc?expires=1800000600&for=somebody&';
  const challenge = createHash('sha256').update(`${salt}${number}`).digest('hex');
  return { algorithm: 'SHA-256', challenge, salt, signature: 'seal', maxnumber };
}

describe('a puzzle', () => {
  it('is solved by trying, and says how far it is', async () => {
    const shares: number[] = [];
    const found = await solve(puzzle(4_321, 10_000), (share) => shares.push(share));
    expect(found).toBe(4_321);
    expect(shares).toEqual([0, 0.2, 0.4]);
  });

  it('without a solution ends', async () => {
    expect(await solve(puzzle(50, 20), () => undefined)).toBeNull();
  });

  it('travels in the form that ALTCHA clients use', () => {
    const sent = JSON.parse(atob(payloadOf(puzzle(7, 10), 7)));
    expect(sent).toMatchObject({ algorithm: 'SHA-256', number: 7, signature: 'seal' });
    expect(sent.maxnumber).toBeUndefined();
  });
});
