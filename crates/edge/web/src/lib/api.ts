// The types of usher's HTTP and WebSocket interface, as far as the pages use them.
// Times are RFC 3339 in UTC, money is integer minor units of a currency.

export type Phase =
  | 'draft'
  | 'scheduled'
  | 'gathering'
  | 'drawing'
  | 'open'
  | 'paused'
  | 'sold_out'
  | 'closed';

export const PHASES: readonly Phase[] = [
  'draft',
  'scheduled',
  'gathering',
  'drawing',
  'open',
  'paused',
  'sold_out',
  'closed',
];

export interface Money {
  amount: number;
  currency: string;
}

export interface WaitInterval {
  low: number;
  high: number;
}

/** How a fan stands: in line, released, let in, or not in this line at all. */
export type Standing = 'waiting' | 'admitted' | 'inside' | 'absent';

/** Why a wait became longer; `spoken_for`: why none is told. */
export type SlipReason = 'paused' | 'backend_slowed' | 'people_returned' | 'spoken_for';

/** `GET /api/v1/events/{id}/queue`, and the state embedded in the queue page. */
export interface Place {
  standing: Standing;
  phase: Phase;
  number: number | null;
  ahead: number | null;
  estimated_wait_seconds: WaitInterval | null;
  rate_per_minute: number | null;
  reason: SlipReason | null;
  message: string | null;
  opens_at: string | null;
  claim_by: string | null;
}

/** What the queue stream sends; a `phase` frame carries only what changed. */
export type QueueFrame =
  | {
      type: 'place';
      phase: Phase;
      number: number | null;
      ahead: number | null;
      estimated_wait_seconds: WaitInterval | null;
      rate_per_minute: number | null;
      reason: SlipReason | null;
      message: string | null;
    }
  | { type: 'admitted'; claim_by: string }
  | { type: 'phase'; phase: Phase; opens_at?: string | null; message?: string | null }
  | { type: 'reconnect'; after_ms: number };

export type SeatStatus = 'available' | 'held' | 'booked' | 'blocked';

export interface Seat {
  id: string;
  seat_number: string;
  status: SeatStatus;
  price: Money;
  accessible?: boolean;
}

export interface Row {
  row_number: string;
  seats: Seat[];
}

export interface Section {
  id: string;
  name: string;
  price: Money;
  rows: Row[];
}

/** A standing tier: places without seats. */
export interface Tier {
  id: string;
  name: string;
  price: Money;
  available: number;
}

/** `GET /api/v1/events/{id}/seatmap` */
export interface SeatMap {
  layout_version: number | string;
  last_updated: string;
  sections: Section[];
  tiers?: Tier[];
}

export type SeatFrame =
  | { type: 'seats'; changes: [seat: string, status: SeatStatus][] }
  | { type: 'reconnect'; after_ms: number };

/** `POST /api/v1/events/{id}/reservations` */
export interface ReservationRequest {
  client_reservation_id: string;
  seat_ids?: string[];
  best_available?: { section?: string; count: number };
  tiers?: { tier: string; count: number }[];
}

export interface Reservation {
  reservation_id: string;
  status: string;
  expires_at: string;
  extensions_remaining: number;
}

/** `POST /api/v1/reservations/{id}/commit` */
export interface CommitRequest {
  payment_method_id: string;
  idempotency_key: string;
  billing_details: { name: string; email: string };
}

/** The order of a commit that was answered with 200 or 202, and of `GET /api/v1/orders/{number}`. */
export interface Order {
  order_number: string;
  status: 'pending' | 'confirmed' | 'failed' | 'cancelled' | 'refunded';
  poll_after_ms?: number;
  reason?: string;
}

/** `GET | PUT /api/v1/admin/events/{id}/admission` */
export interface AdmissionSettings {
  mode: AdmissionMode;
  rate_per_minute: number | null;
  min_rate_per_minute: number | null;
  max_rate_per_minute: number | null;
  max_inside: number | null;
  /** Auto only shows what it would do. */
  dry_run?: boolean;
}

/** `GET | PUT /api/v1/admin/events/{id}/admission/constants`: what is set, by name. */
export interface LawConstants {
  set: Record<string, number | null>;
}

export type AdmissionMode = 'auto' | 'manual' | 'paused';

/** `GET /api/v1/admin/events/{id}/status` and what its stream sends. */
export interface SaleStatus {
  phase: Phase;
  waiting: number;
  present: number;
  inside: number;
  released_total: number;
  claimed_total: number;
  orders_total: number;
  seats_left: number;
  rate_per_minute: number;
  /** What automatic would let in per minute, where something else decides. */
  auto_rate_per_minute: number | null;
  reason: string | null;
  /** Null until the first fan who was told a wait was let in. */
  waits: WaitAccuracy | null;
}

/** How true the waits were that fans were told half-way. */
export interface WaitAccuracy {
  judged: number;
  held_share: number;
  median_error: number;
}
