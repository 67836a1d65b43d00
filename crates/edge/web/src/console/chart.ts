// Draws figures over time: a few lines or bars, each against an axis of its kind.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

const HEIGHT_PX = 240;
/** Bars stand for a minute, with a little air between. */
const BAR_SHARE = 0.8;

const MINUTES: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };
const CLOCK = new Intl.DateTimeFormat('en-GB', MINUTES);
const CLOCK_WITH_SECONDS = new Intl.DateTimeFormat('en-GB', { ...MINUTES, second: '2-digit' });

export interface Series {
  label: string;
  /** Series that are compared share one. */
  scale: string;
  /** The name of a colour of the design system. */
  colour: string;
  dash?: number[];
  bars?: boolean;
}

/** What is drawn, and which span of time is shown, in seconds. */
export interface Shape {
  series: Series[];
  span: (low: number, high: number) => [number, number];
}

export class Chart {
  readonly #holder: HTMLElement;
  readonly #shape: Shape;
  #plot: uPlot | null = null;
  #data: number[][] = [];

  constructor(holder: HTMLElement, shape: Shape) {
    this.#holder = holder;
    this.#shape = shape;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(holder);
    // A canvas does not follow the theme by itself.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#plot?.destroy();
      this.#plot = null;
      this.show(this.#data);
    });
  }

  /** Seconds since 1970, then a column for each series. */
  show(data: number[][]): void {
    this.#data = data;
    const columns = data as uPlot.AlignedData;
    if (this.#plot) this.#plot.setData(columns);
    else this.#plot = new uPlot(this.#options(), columns, this.#holder);
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
    const { series, span } = this.#shape;
    const [left, right] = [...new Set(series.map((each) => each.scale))];
    const scales: uPlot.Scales = { x: { range: (_, low, high) => span(low, high) } };
    for (const scale of [left, right]) if (scale) scales[scale] = { range: fromZero };
    const axes: uPlot.Axis[] = [
      { ...axis, values: (_, times) => timesWords(times) },
      { ...axis, scale: left ?? '', size: 64 },
    ];
    if (right) axes.push({ ...axis, scale: right, side: 1, size: 56, grid: { show: false } });
    return {
      ...this.#size(),
      cursor: { y: false },
      legend: { live: false },
      scales,
      axes,
      series: [{}, ...series.map((each) => drawn(each, colour(each.colour)))],
    };
  }
}

function drawn({ label, scale, dash, bars }: Series, stroke: string): uPlot.Series {
  const look: uPlot.Series = { label, scale, stroke, width: 2, points: { show: false } };
  if (dash) look.dash = dash;
  if (bars && uPlot.paths.bars) {
    look.fill = stroke;
    look.width = 0;
    look.paths = uPlot.paths.bars({ size: [BAR_SHARE], align: 1 });
  }
  return look;
}

/** To the second only where minutes would repeat. */
function timesWords(times: number[]): string[] {
  const [first = 0, second = 60] = times;
  const clock = second - first < 60 ? CLOCK_WITH_SECONDS : CLOCK;
  return times.map((at) => clock.format(at * 1000));
}

/** Room above the highest point, and never an empty scale. */
function fromZero(_: uPlot, _low: number, high: number): [number, number] {
  return [0, Math.max(10, high * 1.1)];
}
