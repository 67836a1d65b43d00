// Where each seat is drawn. The seat map tells sections, rows and seats but no places on
// paper, so sections are set on shelves before the stage, their rows a little curved. Pure.
import type { Row, Seat, SeatMap, Section } from '../lib/api.ts';

/** One seat's own width is the unit of everything here. */
const ROW_PITCH = 1.15;
const SECTION_GAP = 2;
const TITLE_HEIGHT = 1.6;
/** Room for a row's name on both sides. */
const ROW_LABEL_WIDTH = 1.5;
const STAGE_HEIGHT = 3;
/** How much wider than high the whole may become. */
const SHAPE = 1.5;
/** How far the ends of a section's rows reach towards the stage, as a share of its width. */
const BEND = 0.05;

export interface PlacedSeat {
  seat: Seat;
  section: Section;
  row: Row;
  x: number;
  y: number;
}

export interface Label {
  text: string;
  kind: 'section' | 'row';
  x: number;
  y: number;
  /** The room it may take. */
  width: number;
}

export interface Layout {
  seats: PlacedSeat[];
  labels: Label[];
  stage: { x: number; y: number; width: number };
  width: number;
  height: number;
}

interface Block {
  section: Section;
  width: number;
  height: number;
}

export function layOut(map: SeatMap): Layout {
  const blocks = map.sections.filter((section) => section.rows.length > 0).map(measure);
  const shelves = shelve(blocks);
  const width = Math.max(1, ...shelves.map(shelfWidth));
  const layout: Layout = {
    seats: [],
    labels: [],
    stage: { x: width / 2, y: 1.2, width: Math.min(width * 0.6, 24) },
    width,
    height: 0,
  };
  let top = STAGE_HEIGHT;
  for (const shelf of shelves) {
    let left = (width - shelfWidth(shelf)) / 2;
    for (const block of shelf) {
      place(block, left, top, layout);
      left += block.width + SECTION_GAP;
    }
    top += Math.max(...shelf.map((block) => block.height)) + SECTION_GAP;
  }
  layout.height = top - SECTION_GAP + 0.5;
  return layout;
}

/** `Stalls, row C, seat 12` */
export function seatName(placed: Pick<PlacedSeat, 'section' | 'row' | 'seat'>): string {
  const { section, row, seat } = placed;
  return `${section.name}, row ${row.row_number}, seat ${seat.seat_number}`;
}

function measure(section: Section): Block {
  const longest = Math.max(...section.rows.map((row) => row.seats.length));
  return {
    section,
    width: longest + 2 * ROW_LABEL_WIDTH,
    height: section.rows.length * ROW_PITCH + TITLE_HEIGHT + BEND * longest,
  };
}

/** Sections side by side in their order, as long as the whole keeps a pleasant shape. */
function shelve(blocks: Block[]): Block[][] {
  const area = blocks.reduce((sum, block) => sum + block.width * block.height, 0);
  const widest = Math.max(0, ...blocks.map((block) => block.width));
  const limit = Math.max(widest, Math.sqrt(area) * SHAPE);
  const shelves: Block[][] = [];
  for (const block of blocks) {
    const last = shelves.at(-1);
    if (last && shelfWidth([...last, block]) <= limit) last.push(block);
    else shelves.push([block]);
  }
  return shelves;
}

function shelfWidth(shelf: Block[]): number {
  const gaps = SECTION_GAP * (shelf.length - 1);
  return shelf.reduce((sum, block) => sum + block.width, gaps);
}

function place(block: Block, left: number, top: number, layout: Layout): void {
  const { section } = block;
  const middle = left + block.width / 2;
  const bend = (x: number): number =>
    BEND * block.width * (1 - ((2 * (x - middle)) / block.width) ** 2);
  layout.labels.push({
    text: section.name,
    kind: 'section',
    x: middle,
    y: top + TITLE_HEIGHT / 2,
    width: block.width,
  });
  section.rows.forEach((row, index) => {
    const y = top + TITLE_HEIGHT + (index + 0.5) * ROW_PITCH;
    const start = middle - row.seats.length / 2;
    const labelX = start - ROW_LABEL_WIDTH / 2;
    layout.labels.push({
      text: row.row_number,
      kind: 'row',
      x: labelX,
      y: y + bend(labelX),
      width: ROW_LABEL_WIDTH,
    });
    row.seats.forEach((seat, column) => {
      const x = start + column + 0.5;
      layout.seats.push({ seat, section, row, x, y: y + bend(x) });
    });
  });
}
