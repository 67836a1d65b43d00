// The seats of an event by their id, with what is known of each: the one place where a
// status changes, so that picture and list always show the same.
import type { SeatMap, SeatStatus } from '../lib/api.ts';
import { type Layout, layOut, type PlacedSeat } from './layout.ts';

export class Hall {
  readonly layout: Layout;
  readonly #byId: Map<string, PlacedSeat>;

  constructor(map: SeatMap) {
    this.layout = layOut(map);
    this.#byId = new Map(this.layout.seats.map((placed) => [placed.seat.id, placed]));
  }

  find(seatId: string): PlacedSeat | undefined {
    return this.#byId.get(seatId);
  }

  /** Applies changes; gives the seats that are different now. */
  apply(changes: Iterable<[seatId: string, status: SeatStatus]>): PlacedSeat[] {
    const changed: PlacedSeat[] = [];
    for (const [seatId, status] of changes) {
      const placed = this.#byId.get(seatId);
      if (!placed || placed.seat.status === status) continue;
      placed.seat.status = status;
      changed.push(placed);
    }
    return changed;
  }

  /** Every status of a map fetched anew. */
  static statuses(map: SeatMap): [string, SeatStatus][] {
    return map.sections.flatMap((section) =>
      section.rows.flatMap((row) =>
        row.seats.map((seat): [string, SeatStatus] => [seat.id, seat.status]),
      ),
    );
  }
}
