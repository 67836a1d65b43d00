// The two charts of the console: the line over the last ten minutes, from the live status,
// and the sales of the last hour, asked for now and then.
import type { SaleStatus } from '../lib/api.ts';
import { ref } from '../lib/dom.ts';
import { call } from '../lib/http.ts';
import { Chart, type Shape } from './chart.ts';
import { History } from './history.ts';
import { type Sales, SHOWN_MINUTES, salesColumns, salesWords } from './sales.ts';

const LONGEST_SPAN_S = 600;
const SHORTEST_SPAN_S = 60;
/** Sales are folded by the minute, so more often shows nothing more. */
const SALES_EVERY_MS = 15_000;

const LINE: Shape = {
  series: [
    { label: 'Waiting', scale: 'people', colour: '--series-waiting' },
    { label: 'Inside', scale: 'people', colour: '--series-inside', dash: [6, 4] },
    { label: 'Let in per minute', scale: 'rate', colour: '--series-rate', dash: [2, 3] },
  ],
  // From the first sample on, but neither a sliver nor more than ten minutes.
  span: (low, high) => [
    high - Math.min(LONGEST_SPAN_S, Math.max(SHORTEST_SPAN_S, high - low)),
    high,
  ],
};

const SALES: Shape = {
  series: [{ label: 'Tickets sold', scale: 'tickets', colour: '--series-waiting', bars: true }],
  // The last bar begins with its minute and needs room for it.
  span: (_, high) => [high - (SHOWN_MINUTES - 1) * 60, high + 60],
};

export class Figures {
  readonly #lastMinutes = new History();
  readonly #line = new Chart(ref('chart'), LINE);
  readonly #sales = new Chart(ref('sales-chart'), SALES);
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    void this.#askForSales();
    setInterval(() => void this.#askForSales(), SALES_EVERY_MS);
  }

  add(status: SaleStatus): void {
    this.#lastMinutes.add(Date.now() / 1000, status);
    this.#line.show(this.#lastMinutes.columns);
  }

  async #askForSales(): Promise<void> {
    if (document.visibilityState === 'hidden') return;
    const answer = await call<Sales>('GET', `${this.#path}/sales?minutes=${SHOWN_MINUTES}`);
    const words = ref('sales-words');
    if (!answer.ok) {
      words.textContent = answer.message;
      return;
    }
    words.textContent = salesWords(answer.body);
    this.#sales.show(salesColumns(answer.body));
  }
}
