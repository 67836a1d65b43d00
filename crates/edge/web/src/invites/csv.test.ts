// What a spreadsheet is given.
import { expect, test } from 'vitest';
import { csvOf } from './csv.ts';

test('each code is one line with its lane', () => {
  expect(csvOf('presale', ['A1', 'B2'])).toBe('code,lane\r\n"A1","presale"\r\n"B2","presale"\r\n');
});

test('a code cannot break out of its cell or become a formula', () => {
  expect(csvOf('vip', ['=A"1'])).toBe('code,lane\r\n"\'=A""1","vip"\r\n');
});
