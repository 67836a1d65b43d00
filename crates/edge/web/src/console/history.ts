// The last ten minutes of a sale's figures, as columns for the chart. Pure and bounded.
import type { SaleStatus } from '../lib/api.ts';

const KEPT_SECONDS = 600;
/** Even if frames come faster than once a second. */
const MAX_SAMPLES = 1_200;

/** Seconds since 1970, waiting, inside, people per minute. */
export type Columns = [at: number[], waiting: number[], inside: number[], rate: number[]];

export class History {
  readonly columns: Columns = [[], [], [], []];

  add(atSeconds: number, status: SaleStatus): void {
    const [at, waiting, inside, rate] = this.columns;
    at.push(atSeconds);
    waiting.push(status.waiting);
    inside.push(status.inside);
    rate.push(status.rate_per_minute);
    const outlived = at.findIndex((each) => each >= atSeconds - KEPT_SECONDS);
    const surplus = Math.max(outlived, at.length - MAX_SAMPLES);
    if (surplus > 0) for (const column of this.columns) column.splice(0, surplus);
  }
}
