// Draws the history: people on the left axis, people per minute on the right one.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Columns } from './history.ts';

const HEIGHT_PX = 240;
const LONGEST_SPAN_S = 600;
const SHORTEST_SPAN_S = 60;

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

export class Chart {
  readonly #holder: HTMLElement;
  #plot: uPlot | null = null;
  #data: Columns = [[], [], [], []];

  constructor(holder: HTMLElement) {
    this.#holder = holder;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(holder);
    // A canvas does not follow the theme by itself.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#plot?.destroy();
      this.#plot = null;
      this.show(this.#data);
    });
  }

  show(data: Columns): void {
    this.#data = data;
    if (this.#plot) this.#plot.setData(data);
    else this.#plot = new uPlot(this.#options(), data, this.#holder);
  }

  #size(): { width: number; height: number } {
    return { width: this.#holder.clientWidth, height: HEIGHT_PX };
  }

  #options(): uPlot.Options {
    const style = getComputedStyle(this.#holder);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: colour('--quiet'),
      font: '12px system-ui',
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const line = (label: string, scale: string, name: string, dash: number[]): uPlot.Series => ({
      label,
      scale,
      dash,
      stroke: colour(name),
      width: 2,
      points: { show: false },
    });
    return {
      ...this.#size(),
      cursor: { y: false },
      legend: { live: false },
      scales: {
        x: { range: recent },
        people: { range: fromZero },
        rate: { range: fromZero },
      },
      axes: [
        { ...axis, values: (_, times) => times.map((at) => CLOCK.format(at * 1000)) },
        { ...axis, scale: 'people', size: 64 },
        { ...axis, scale: 'rate', side: 1, size: 56, grid: { show: false } },
      ],
      series: [
        {},
        line('Waiting', 'people', '--series-waiting', []),
        line('Inside', 'people', '--series-inside', [6, 4]),
        line('Let in per minute', 'rate', '--series-rate', [2, 3]),
      ],
    };
  }
}

/** From the first sample on, but neither a sliver nor more than ten minutes. */
function recent(_: uPlot, low: number, high: number): [number, number] {
  return [high - Math.min(LONGEST_SPAN_S, Math.max(SHORTEST_SPAN_S, high - low)), high];
}

/** Room above the highest point, and never an empty scale. */
function fromZero(_: uPlot, _low: number, high: number): [number, number] {
  return [0, Math.max(10, high * 1.1)];
}
