// A choice stays within the limit, follows what others take, and spells the request.
import { describe, expect, it } from 'vitest';
import { Choice } from './choice.ts';
import { Hall } from './hall.ts';
import { testHall } from './testhall.ts';

function begin(limit = 3) {
  const map = testHall();
  const hall = new Hall(map);
  const seat = (id: string) => hall.find(id) ?? expect.fail(`no seat ${id}`);
  const floor = map.tiers?.[0] ?? expect.fail('no tier');
  return { hall, seat, floor, choice: new Choice(limit) };
}

describe('Choice', () => {
  it('takes and leaves seats up to the limit, standing places included', () => {
    const { choice, seat, floor } = begin();
    expect(choice.toggle(seat('A-1-1'))).toBe(true);
    expect(choice.setTier(floor, 2)).toBe(true);
    expect(choice.toggle(seat('A-1-2'))).toBe(false);
    expect(choice.setTier(floor, 3)).toBe(false);
    expect(choice.count).toBe(3);
    expect(choice.total()).toEqual({ amount: 11_000, currency: 'EUR' });
    expect(choice.toggle(seat('A-1-1'))).toBe(true);
    expect(choice.count).toBe(2);
  });

  it('does not take what is taken, nor more than a tier has', () => {
    const { choice, hall, seat, floor } = begin(9);
    hall.apply([['A-1-1', 'booked']]);
    expect(choice.toggle(seat('A-1-1'))).toBe(false);
    expect(choice.setTier(floor, 4)).toBe(false);
    expect(choice.tierCount('floor')).toBe(3);
  });

  it('drops seats that others got, by name, and only those', () => {
    const { choice, seat } = begin();
    choice.toggle(seat('A-1-1'));
    choice.toggle(seat('A-1-2'));
    const lost = choice.drop([
      ['A-1-1', 'held'],
      ['A-1-2', 'available'],
      ['A-1-3', 'held'],
    ]);
    expect(lost).toEqual(['Section A, row 1, seat 1']);
    expect(choice.has('A-1-2')).toBe(true);
  });

  it('spells the request without empty parts', () => {
    const { choice, seat, floor } = begin();
    expect(choice.request()).toEqual({});
    choice.toggle(seat('A-1-1'));
    expect(choice.request()).toEqual({ seat_ids: ['A-1-1'] });
    choice.setTier(floor, 1);
    expect(choice.request()).toEqual({ seat_ids: ['A-1-1'], tiers: [{ tier: 'floor', count: 1 }] });
  });
});

describe('Hall', () => {
  it('tells which seats a change really changed', () => {
    const { hall } = begin();
    const changed = hall.apply([
      ['A-1-1', 'held'],
      ['A-1-2', 'available'],
      ['nowhere', 'held'],
    ]);
    expect(changed.map(({ seat }) => seat.id)).toEqual(['A-1-1']);
  });
});
