// Reads what the server sends over a stream. A frame that is not as agreed is dropped
// as a whole, so that the rest of a page never meets half of one.
import {
  PHASES,
  type Phase,
  type Place,
  type QueueFrame,
  type SaleStatus,
  type SeatFrame,
  type SeatStatus,
  type SlipReason,
  type Standing,
  type WaitAccuracy,
  type WaitInterval,
} from './api.ts';

/** A frame longer than this is not ours. */
const MAX_FRAME_CHARS = 4_000_000;
const MAX_MESSAGE_CHARS = 2_000;
const MAX_RECONNECT_DELAY_MS = 600_000;

const STANDINGS: readonly Standing[] = ['waiting', 'admitted', 'inside', 'absent'];
const REASONS: readonly SlipReason[] = [
  'paused',
  'backend_slowed',
  'people_returned',
  'spoken_for',
];
const SEAT_STATUSES: readonly SeatStatus[] = ['available', 'held', 'booked', 'blocked'];

type Fields = Record<string, unknown>;

export function parseObject(text: string): Fields | null {
  if (text.length > MAX_FRAME_CHARS) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

export function parseQueueFrame(text: string): QueueFrame | null {
  const fields = parseObject(text);
  const phase = oneOf(PHASES, fields?.phase);
  switch (fields?.type) {
    case 'place':
      return phase && { type: 'place', phase, ...placeFields(fields) };
    case 'admitted': {
      const claim_by = instant(fields.claim_by);
      return claim_by ? { type: 'admitted', claim_by } : null;
    }
    case 'phase':
      return phase ? phaseFrame(phase, fields) : null;
    case 'reconnect':
      return reconnectFrame(fields);
    default:
      return null;
  }
}

/** The answer of `GET .../queue`, or the state embedded in the page. */
export function parsePlace(value: unknown): Place | null {
  if (!isFields(value)) return null;
  const phase = oneOf(PHASES, value.phase);
  if (!phase) return null;
  const claim_by = instant(value.claim_by);
  const standing = oneOf(STANDINGS, value.standing) ?? (claim_by ? 'admitted' : 'waiting');
  if (standing === 'admitted' && !claim_by) return null;
  return { standing, phase, ...placeFields(value), opens_at: instant(value.opens_at), claim_by };
}

export function parseSeatFrame(text: string): SeatFrame | null {
  const fields = parseObject(text);
  if (fields?.type === 'reconnect') return reconnectFrame(fields);
  if (fields?.type !== 'seats' || !Array.isArray(fields.changes)) return null;
  const changes: [string, SeatStatus][] = [];
  for (const change of fields.changes as unknown[]) {
    if (!Array.isArray(change) || typeof change[0] !== 'string') return null;
    const status = oneOf(SEAT_STATUSES, change[1]);
    if (!status) return null;
    changes.push([change[0], status]);
  }
  return { type: 'seats', changes };
}

/** One status of a sale; anything else the server adds is left alone. */
export function parseSaleStatus(value: unknown): SaleStatus | null {
  if (!isFields(value)) return null;
  const phase = oneOf(PHASES, value.phase);
  if (!phase) return null;
  const read = (name: string): number => amount(value[name]) ?? 0;
  return {
    phase,
    waiting: read('waiting'),
    present: read('present'),
    inside: read('inside'),
    released_total: read('released_total'),
    claimed_total: read('claimed_total'),
    orders_total: read('orders_total'),
    seats_left: read('seats_left'),
    rate_per_minute: read('rate_per_minute'),
    auto_rate_per_minute: autoRate(value),
    reason: sentence(value.reason),
    waits: waitAccuracy(value.waits),
  };
}

function autoRate({ mode, clause, decision }: Fields): number | null {
  if (mode === 'auto' && clause !== 'dry_run') return null;
  const auto = isFields(decision) && isFields(decision.auto) ? decision.auto : null;
  const perSecond = auto ? amount(auto.rate_per_s) : null;
  return perSecond === null ? null : perSecond * 60;
}

function waitAccuracy(value: unknown): WaitAccuracy | null {
  if (!isFields(value)) return null;
  const [judged, held_share, median_error] = [
    amount(value.judged),
    amount(value.held_share),
    amount(value.median_error),
  ];
  const isWhole = judged !== null && held_share !== null && median_error !== null;
  return isWhole ? { judged, held_share, median_error } : null;
}

export function reconnectFrame(fields: Fields): { type: 'reconnect'; after_ms: number } | null {
  const after_ms = amount(fields.after_ms);
  return after_ms === null
    ? null
    : { type: 'reconnect', after_ms: Math.min(after_ms, MAX_RECONNECT_DELAY_MS) };
}

function placeFields(fields: Fields) {
  return {
    number: amount(fields.number),
    ahead: amount(fields.ahead),
    estimated_wait_seconds: waitInterval(fields.estimated_wait_seconds),
    rate_per_minute: amount(fields.rate_per_minute),
    reason: oneOf(REASONS, fields.reason),
    message: sentence(fields.message),
  };
}

function phaseFrame(phase: Phase, fields: Fields): QueueFrame {
  const frame: QueueFrame = { type: 'phase', phase };
  if ('opens_at' in fields) frame.opens_at = instant(fields.opens_at);
  if ('message' in fields) frame.message = sentence(fields.message);
  return frame;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function oneOf<T extends string>(known: readonly T[], value: unknown): T | null {
  return known.find((each) => each === value) ?? null;
}

function amount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

function sentence(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_MESSAGE_CHARS) : null;
}

function instant(value: unknown): string | null {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : null;
}

function waitInterval(value: unknown): WaitInterval | null {
  if (!isFields(value)) return null;
  const low = amount(value.low);
  const high = amount(value.high);
  return low === null || high === null ? null : { low, high };
}
