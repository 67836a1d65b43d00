// Draws the history: people on the left axis, people per minute on the right one.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Columns } from './history.ts';

const HEIGHT_PX = 240;

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
    const axis = {
      stroke: colour('--quiet'),
      font: '12px system-ui',
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const whole = {
      range: (_: uPlot, _low: number, high: number): [number, number] => [
        0,
        Math.max(10, high * 1.1),
      ],
    };
    return {
      ...this.#size(),
      cursor: { y: false },
      scales: { people: whole, rate: whole },
      axes: [
        axis,
        { ...axis, scale: 'people', size: 64 },
        { ...axis, scale: 'rate', side: 1, size: 56, grid: { show: false } },
      ],
      series: [
        { label: 'Time' },
        { label: 'Waiting', scale: 'people', stroke: colour('--series-waiting'), width: 2 },
        {
          label: 'Inside',
          scale: 'people',
          stroke: colour('--series-inside'),
          width: 2,
          dash: [6, 4],
        },
        {
          label: 'Per minute',
          scale: 'rate',
          stroke: colour('--series-rate'),
          width: 2,
          dash: [2, 3],
        },
      ],
    };
  }
}
