// What a scanner types into the wrong field is told from the name of a gate.
import { expect, test } from 'vitest';
import { holdsTicket } from './gate.ts';

test('a ticket is known alone, beside a gate or in it, and with its end cut off', () => {
  for (const typed of [
    '7K3M9QXT4BZH0V2C',
    'Main door7K3M9QXT4BZH0V2C',
    'MainABCDEFGHJKMNPQR7 door',
    'Main doorusher1.k1.AZXGyBEiM0RVZneIma',
  ]) {
    expect(holdsTicket(typed), typed).toBe(true);
  }
});

test('gates stay gates', () => {
  for (const gate of ['Main door', 'NORTH 12', 'Besuchereingangsued2', 'HAUPTEINGANG-WESTSEITE']) {
    expect(holdsTicket(gate), gate).toBe(false);
  }
});
