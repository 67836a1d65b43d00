// The puzzle that a join may ask for: numbers are tried until one has the wanted hash with
// the salt. ALTCHA's form, so that its other clients can solve it too.

export interface Puzzle {
  algorithm: string;
  challenge: string;
  salt: string;
  signature: string;
  maxnumber: number;
}

/** Told about every so many numbers. */
const NUMBERS_PER_WORD = 2_000;

/** The number, or null when none fits: then the puzzle is broken. */
export async function solve(
  puzzle: Puzzle,
  onProgress: (share: number) => void,
): Promise<number | null> {
  const encoder = new TextEncoder();
  for (let number = 0; number <= puzzle.maxnumber; number += 1) {
    const hash = await crypto.subtle.digest('SHA-256', encoder.encode(puzzle.salt + number));
    if (hexOf(hash) === puzzle.challenge) return number;
    if (number % NUMBERS_PER_WORD === 0) onProgress(number / puzzle.maxnumber);
  }
  return null;
}

function hexOf(buffer: ArrayBuffer): string {
  let hex = '';
  for (const byte of new Uint8Array(buffer)) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

/** What the join sends. */
export function payloadOf(puzzle: Puzzle, number: number): string {
  const { algorithm, challenge, salt, signature } = puzzle;
  return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
}
