// A small hall for the tests of the seat page.
import type { SeatMap, SeatStatus } from '../lib/api.ts';

export function testHall(status: SeatStatus = 'available'): SeatMap {
  const price = { amount: 5_000, currency: 'EUR' };
  const section = (id: string, rows: number, seats: number) => ({
    id,
    name: `Section ${id}`,
    price,
    rows: Array.from({ length: rows }, (_, row) => ({
      row_number: String(row + 1),
      seats: Array.from({ length: seats }, (_, seat) => ({
        id: `${id}-${row + 1}-${seat + 1}`,
        seat_number: String(seat + 1),
        status,
        price,
      })),
    })),
  });
  return {
    layout_version: 1,
    last_updated: '2026-11-21T18:00:00Z',
    sections: [section('A', 4, 10), section('B', 3, 6), section('C', 3, 6)],
    tiers: [
      { id: 'floor', name: 'Floor', price: { amount: 3_000, currency: 'EUR' }, available: 3 },
    ],
  };
}
