// Draws the hall on a canvas and turns touches into seats. What the picture shows, the
// list beside it offers by keyboard; so the canvas itself is only a picture.
import Flatbush from 'flatbush';
import { type Camera, pan, type Size, showAll, toDrawing, zoomAt } from './camera.ts';
import type { Choice } from './choice.ts';
import type { Label, Layout, PlacedSeat } from './layout.ts';
import { drawLabel, drawSeat, drawStage, type Palette, readPalette } from './paint.ts';

/** Of the screen's height, and of the picture's width. */
const LARGEST_HEIGHT_SHARE = 0.7;
const LEAST_HEIGHT_SHARE = 0.8;
/** A finger hits seats of this size; a touch on smaller ones looks closer instead. */
const TOUCHABLE_PX = 15;
const CLOSER = 1.6;
const HIT_RADIUS = 0.6;
/** Row names only where they can be read. */
const READABLE_ROW_PX = 13;

export interface PictureOptions {
  canvas: HTMLCanvasElement;
  layout: Layout;
  choice: Choice;
  onPick: (placed: PlacedSeat) => void;
  onHover: (placed: PlacedSeat | null) => void;
}

export class Picture {
  readonly #options: PictureOptions;
  readonly #index: Flatbush | null;
  readonly #context: CanvasRenderingContext2D | null;
  #palette: Palette;
  #window: Size = { width: 0, height: 0 };
  #camera: Camera = { scale: 1, x: 0, y: 0 };
  #drawAsked = false;

  constructor(options: PictureOptions) {
    this.#options = options;
    this.#context = options.canvas.getContext('2d');
    this.#palette = readPalette(options.canvas);
    this.#index = indexOf(options.layout.seats);
    new ResizeObserver(() => this.#resize()).observe(
      options.canvas.parentElement ?? options.canvas,
    );
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#palette = readPalette(options.canvas);
      this.draw();
    });
    this.#resize();
  }

  /** Draws once before the next frame, however often it is asked for. */
  draw(): void {
    if (this.#drawAsked) return;
    this.#drawAsked = true;
    requestAnimationFrame(() => {
      this.#drawAsked = false;
      this.#drawNow();
    });
  }

  zoom(closer: boolean): void {
    const middle = { x: this.#window.width / 2, y: this.#window.height / 2 };
    this.zoomAround(closer ? CLOSER : 1 / CLOSER, middle.x, middle.y);
  }

  zoomAround(factor: number, x: number, y: number): void {
    this.#camera = zoomAt(this.#camera, factor, { x, y }, this.#options.layout, this.#window);
    this.#allowScrolling();
    this.draw();
  }

  moveBy(dx: number, dy: number): void {
    this.#camera = pan(this.#camera, dx, dy, this.#options.layout, this.#window);
    this.draw();
  }

  /** A touch or click: a seat large enough to be meant is picked, others are looked at closer. */
  touch(x: number, y: number, isFinger: boolean): void {
    if (isFinger && this.#camera.scale < TOUCHABLE_PX) {
      this.zoomAround((TOUCHABLE_PX * CLOSER) / this.#camera.scale, x, y);
      return;
    }
    const placed = this.#seatAt(x, y);
    if (placed) this.#options.onPick(placed);
  }

  hover(x: number, y: number): void {
    const placed = this.#seatAt(x, y);
    this.#options.canvas.classList.toggle('over-seat', placed?.seat.status === 'available');
    this.#options.onHover(placed);
  }

  #seatAt(x: number, y: number): PlacedSeat | null {
    const at = toDrawing(this.#camera, x, y);
    const [nearest] = this.#index?.neighbors(at.x, at.y, 1, HIT_RADIUS) ?? [];
    return nearest === undefined ? null : (this.#options.layout.seats[nearest] ?? null);
  }

  #resize(): void {
    const { canvas, layout } = this.#options;
    const width = canvas.clientWidth;
    if (width === 0) return;
    const natural = Math.max((width * layout.height) / layout.width, width * LEAST_HEIGHT_SHARE);
    const height = Math.min(natural, innerHeight * LARGEST_HEIGHT_SHARE);
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    this.#window = { width, height };
    this.#camera = showAll(layout, this.#window);
    this.#allowScrolling();
    this.#drawNow();
  }

  /** One finger scrolls the page while all of the hall is seen, and moves the hall when not. */
  #allowScrolling(): void {
    const whole = showAll(this.#options.layout, this.#window).scale;
    this.#options.canvas.style.touchAction = this.#camera.scale > whole * 1.01 ? 'none' : 'pan-y';
  }

  #drawNow(): void {
    const context = this.#context;
    if (!context) return;
    const { layout, choice, canvas } = this.#options;
    const { scale, x, y } = this.#camera;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const ratio = devicePixelRatio;
    context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
    drawStage(context, layout.stage, this.#palette);
    for (const placed of this.#visible()) {
      drawSeat(context, placed, choice.has(placed.seat.id), this.#palette);
    }
    for (const label of layout.labels) {
      if (this.#isReadable(label)) drawLabel(context, label, scale, this.#palette);
    }
  }

  #isReadable(label: Label): boolean {
    return label.kind === 'section' || this.#camera.scale >= READABLE_ROW_PX;
  }

  #visible(): PlacedSeat[] {
    const from = toDrawing(this.#camera, 0, 0);
    const to = toDrawing(this.#camera, this.#window.width, this.#window.height);
    const found = this.#index?.search(from.x - 1, from.y - 1, to.x + 1, to.y + 1) ?? [];
    const { seats } = this.#options.layout;
    return found.flatMap((index) => seats[index] ?? []);
  }
}

function indexOf(seats: PlacedSeat[]): Flatbush | null {
  if (seats.length === 0) return null;
  const index = new Flatbush(seats.length);
  for (const { x, y } of seats) index.add(x, y);
  index.finish();
  return index;
}
