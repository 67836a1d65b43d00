// One attempt at paying, remembered for this tab. Its key is made once and sent with every
// repetition, so that a lost answer or a reload can never charge twice; a new key is made
// only after the server has said how the attempt before it ended.
import type { CommitRequest } from '../lib/api.ts';

export interface Attempt {
  request: CommitRequest;
  /** Known once the server has taken the order. */
  orderNumber: string | null;
}

/** The part of `Storage` that is used. */
export interface Drawer {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export class AttemptKeeper {
  readonly #drawer: Drawer;
  readonly #key: string;

  constructor(drawer: Drawer, reservationId: string) {
    this.#drawer = drawer;
    this.#key = `usher-attempt:${reservationId}`;
  }

  /** The attempt whose end is not known yet. */
  open(): Attempt | null {
    try {
      const kept: unknown = JSON.parse(this.#drawer.getItem(this.#key) ?? 'null');
      return isAttempt(kept) ? kept : null;
    } catch {
      return null;
    }
  }

  /** The open attempt as it was sent, or a new one. */
  begin(fields: Omit<CommitRequest, 'idempotency_key'>, newKey: () => string): Attempt {
    const open = this.open();
    if (open) return open;
    const attempt = { request: { ...fields, idempotency_key: newKey() }, orderNumber: null };
    this.#drawer.setItem(this.#key, JSON.stringify(attempt));
    return attempt;
  }

  follow(attempt: Attempt, orderNumber: string): void {
    this.#drawer.setItem(this.#key, JSON.stringify({ ...attempt, orderNumber }));
  }

  end(): void {
    this.#drawer.removeItem(this.#key);
  }
}

function isAttempt(value: unknown): value is Attempt {
  if (typeof value !== 'object' || value === null || !('request' in value)) return false;
  const { request } = value;
  return typeof request === 'object' && request !== null && 'idempotency_key' in request;
}
