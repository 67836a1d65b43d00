// What a fan has chosen so far, within the limit of one order. Pure state; the page
// listens to it and draws.
import type { Money, ReservationRequest, SeatStatus, Tier } from '../lib/api.ts';
import { type PlacedSeat, seatName } from './layout.ts';

export interface ChosenItem {
  key: string;
  label: string;
  amount: number;
  remove: () => void;
}

export class Choice {
  readonly #limit: number;
  readonly #seats = new Map<string, PlacedSeat>();
  readonly #tiers = new Map<string, { tier: Tier; count: number }>();
  readonly #listeners: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get count(): number {
    let count = this.#seats.size;
    for (const { count: n } of this.#tiers.values()) count += n;
    return count;
  }

  get isFull(): boolean {
    return this.count >= this.#limit;
  }

  get limit(): number {
    return this.#limit;
  }

  has(seatId: string): boolean {
    return this.#seats.has(seatId);
  }

  tierCount(tierId: string): number {
    return this.#tiers.get(tierId)?.count ?? 0;
  }

  /** Takes or leaves a seat; false when it is not to be had or the order is full. */
  toggle(placed: PlacedSeat): boolean {
    const { id, status } = placed.seat;
    if (this.#seats.delete(id)) return this.#changed();
    if (status !== 'available' || this.isFull) return false;
    this.#seats.set(id, placed);
    return this.#changed();
  }

  setTier(tier: Tier, wanted: number): boolean {
    const others = this.count - this.tierCount(tier.id);
    const count = Math.max(0, Math.min(wanted, this.#limit - others, tier.available));
    if (count === 0) this.#tiers.delete(tier.id);
    else this.#tiers.set(tier.id, { tier, count });
    this.#changed();
    return count === wanted;
  }

  /** Drops seats that somebody else got; gives their names. */
  drop(changes: Iterable<[seatId: string, status: SeatStatus]>): string[] {
    const lost: string[] = [];
    for (const [seatId, status] of changes) {
      const placed = this.#seats.get(seatId);
      if (!placed || status === 'available') continue;
      this.#seats.delete(seatId);
      lost.push(seatName(placed));
    }
    if (lost.length > 0) this.#changed();
    return lost;
  }

  items(): ChosenItem[] {
    const seats = [...this.#seats.values()].map((placed) => ({
      key: placed.seat.id,
      label: seatName(placed),
      amount: placed.seat.price.amount,
      remove: () => void this.toggle(placed),
    }));
    const tiers = [...this.#tiers.values()].map(({ tier, count }) => ({
      key: tier.id,
      label: `${count} × ${tier.name}`,
      amount: tier.price.amount * count,
      remove: () => void this.setTier(tier, 0),
    }));
    return [...seats, ...tiers];
  }

  total(): Money | null {
    const first =
      [...this.#seats.values()][0]?.seat.price ?? [...this.#tiers.values()][0]?.tier.price;
    if (!first) return null;
    const amount = this.items().reduce((sum, item) => sum + item.amount, 0);
    return { amount, currency: first.currency };
  }

  request(): Omit<ReservationRequest, 'client_reservation_id'> {
    const request: Omit<ReservationRequest, 'client_reservation_id'> = {};
    if (this.#seats.size > 0) request.seat_ids = [...this.#seats.keys()];
    if (this.#tiers.size > 0) {
      request.tiers = [...this.#tiers].map(([tier, { count }]) => ({ tier, count }));
    }
    return request;
  }

  /** Also for what a choice depends on, such as how many places a tier has left. */
  announceChange(): void {
    for (const listener of this.#listeners) listener();
  }

  #changed(): true {
    this.announceChange();
    return true;
  }
}
