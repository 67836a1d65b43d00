// How a seat, a label and the stage look. A status is told by shape as well as colour:
// free is full, taken is small and hollow, chosen has a tick, a wheelchair place is square.
import type { Label, Layout, PlacedSeat } from './layout.ts';

type Context = CanvasRenderingContext2D;

const SMALLEST_NAME_PX = 11;

export interface Palette {
  free: string;
  taken: string;
  mine: string;
  onMine: string;
  ink: string;
  quiet: string;
  stage: string;
  surface: string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    free: read('--accent'),
    taken: read('--line'),
    mine: read('--ink'),
    onMine: read('--paper'),
    ink: read('--ink'),
    quiet: read('--quiet'),
    stage: read('--sunken'),
    surface: read('--surface'),
  };
}

export function drawSeat(
  context: Context,
  placed: PlacedSeat,
  mine: boolean,
  palette: Palette,
): void {
  const { x, y, seat } = placed;
  if (mine) {
    shape(context, x, y, 0.48, seat.accessible === true);
    context.fillStyle = palette.mine;
    context.fill();
    drawTick(context, x, y, palette);
  } else if (seat.status === 'available') {
    shape(context, x, y, 0.4, seat.accessible === true);
    context.fillStyle = palette.free;
    context.fill();
  } else {
    shape(context, x, y, 0.26, seat.accessible === true);
    context.lineWidth = 0.1;
    context.strokeStyle = palette.taken;
    context.stroke();
  }
}

/** A label over the seats; a section's name stays readable however small the hall is drawn. */
export function drawLabel(context: Context, label: Label, scale: number, palette: Palette): void {
  const isSection = label.kind === 'section';
  const size = isSection ? Math.max(0.95, SMALLEST_NAME_PX / scale) : 0.6;
  context.font = font(isSection ? 650 : 400, size);
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  context.lineWidth = size / 3;
  context.strokeStyle = palette.surface;
  context.strokeText(label.text, label.x, label.y, label.width);
  context.fillStyle = isSection ? palette.ink : palette.quiet;
  context.fillText(label.text, label.x, label.y, label.width);
}

export function drawStage(context: Context, stage: Layout['stage'], palette: Palette): void {
  context.beginPath();
  context.roundRect(stage.x - stage.width / 2, stage.y - 0.9, stage.width, 1.8, 0.4);
  context.fillStyle = palette.stage;
  context.fill();
  context.font = font(500, 0.9);
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillStyle = palette.quiet;
  context.fillText('Stage', stage.x, stage.y);
}

function shape(context: Context, x: number, y: number, radius: number, square: boolean): void {
  context.beginPath();
  if (square) context.roundRect(x - radius, y - radius, radius * 2, radius * 2, radius * 0.3);
  else context.arc(x, y, radius, 0, 2 * Math.PI);
}

function drawTick(context: Context, x: number, y: number, palette: Palette): void {
  context.beginPath();
  context.moveTo(x - 0.2, y);
  context.lineTo(x - 0.05, y + 0.16);
  context.lineTo(x + 0.22, y - 0.16);
  context.lineWidth = 0.11;
  context.strokeStyle = palette.onMine;
  context.stroke();
}

function font(weight: number, size: number): string {
  return `${weight} ${size}px system-ui, sans-serif`;
}
