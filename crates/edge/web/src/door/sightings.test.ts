// One code held before the camera is one scan.
import { expect, test } from 'vitest';
import { GONE_MS, Sightings } from './sightings.ts';

test('a code that stays in view is checked once, however long', () => {
  const sightings = new Sightings();
  const seen = [0, 200, 2_000, 4_000, 6_500].map((atMs) => sightings.isNew('a', atMs));
  expect(seen).toEqual([true, false, false, false, false]);
});

test('another code, and the same one after a while, are checked', () => {
  const sightings = new Sightings();
  expect(sightings.isNew('a', 0)).toBe(true);
  expect(sightings.isNew('b', 200)).toBe(true);
  expect(sightings.isNew('a', GONE_MS)).toBe(true);
});

test('two codes in view are checked once each, whichever is seen first', () => {
  const sightings = new Sightings();
  const seen = ['a', 'b', 'a', 'b', 'b', 'a'].map((code, turn) =>
    sightings.isNew(code, turn * 150),
  );
  expect(seen).toEqual([true, true, false, false, false, false]);
});
