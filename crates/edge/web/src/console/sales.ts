// What was sold in each minute of the last hour: as columns for the chart, and in words.
// Pure.
import { countWords, moneyWords } from '../lib/wording.ts';

export const SHOWN_MINUTES = 60;
const MINUTE_S = 60;

export interface SalesMinute {
  minute: string;
  orders: number;
  tickets: number;
  /** In minor units. */
  amount: number;
}

/** `GET /api/v1/admin/events/{id}/sales`: minutes in which nothing was sold are left out. */
export interface Sales {
  currency: string;
  data: SalesMinute[];
  at: string;
}

/** The minutes up to this one, oldest first, and the tickets sold in each. */
export function salesColumns(sales: Sales): [at: number[], tickets: number[]] {
  const last = Math.floor(Date.parse(sales.at) / 1000 / MINUTE_S) * MINUTE_S;
  const first = last - (SHOWN_MINUTES - 1) * MINUTE_S;
  const sold = new Map(sales.data.map((each) => [Date.parse(each.minute) / 1000, each.tickets]));
  const at = Array.from({ length: SHOWN_MINUTES }, (_, index) => first + index * MINUTE_S);
  return [at, at.map((minute) => sold.get(minute) ?? 0)];
}

/** `In the last hour: 120 tickets in 50 orders, €10,680.00.` */
export function salesWords(sales: Sales): string {
  const sum = (read: (minute: SalesMinute) => number): number =>
    sales.data.reduce((total, each) => total + read(each), 0);
  const tickets = sum((each) => each.tickets);
  if (tickets === 0) return 'Nothing was sold in the last hour.';
  const orders = sum((each) => each.orders);
  const money = moneyWords({ amount: sum((each) => each.amount), currency: sales.currency });
  const count = (n: number, one: string): string => `${countWords(n)} ${one}${n === 1 ? '' : 's'}`;
  return `In the last hour: ${count(tickets, 'ticket')} in ${count(orders, 'order')}, ${money}.`;
}
