// Every seat is drawn once, inside the drawing, and no two on the same spot.
import { describe, expect, it } from 'vitest';
import { layOut, seatName } from './layout.ts';
import { testHall } from './testhall.ts';

describe('layOut', () => {
  const layout = layOut(testHall());

  it('places every seat within the drawing', () => {
    expect(layout.seats).toHaveLength(4 * 10 + 2 * 3 * 6);
    for (const { x, y } of layout.seats) {
      expect(x).toBeGreaterThan(0);
      expect(x).toBeLessThan(layout.width);
      expect(y).toBeGreaterThan(3);
      expect(y).toBeLessThan(layout.height);
    }
  });

  it('keeps seats a seat apart', () => {
    for (const [index, a] of layout.seats.entries()) {
      for (const b of layout.seats.slice(index + 1)) {
        expect(Math.hypot(a.x - b.x, a.y - b.y), `${a.seat.id} ${b.seat.id}`).toBeGreaterThan(0.95);
      }
    }
  });

  it('names a seat so that it can be found in the hall', () => {
    const [first] = layout.seats;
    expect(first && seatName(first)).toBe('Section A, row 1, seat 1');
  });

  it('draws an event without seats as nothing', () => {
    const empty = layOut({ ...testHall(), sections: [] });
    expect(empty.seats).toEqual([]);
    expect(empty.width).toBeGreaterThan(0);
  });
});
