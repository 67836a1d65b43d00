// The same seats as a list, for keyboard and screen reader. Each section is a fold whose
// grid is built when it is first opened, because a stadium has tens of thousands of seats.
import type { Row, Section } from '../lib/api.ts';
import { make } from '../lib/dom.ts';
import { moneyWords } from '../lib/wording.ts';
import type { Choice } from './choice.ts';
import type { Hall } from './hall.ts';
import type { PlacedSeat } from './layout.ts';

const STEPS: Record<string, [rows: number, seats: number]> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

export interface SeatListOptions {
  holder: HTMLElement;
  sections: Section[];
  hall: Hall;
  choice: Choice;
  onPick: (placed: PlacedSeat) => void;
}

export class SeatList {
  readonly #options: SeatListOptions;
  readonly #cells = new Map<string, HTMLElement>();

  constructor(options: SeatListOptions) {
    this.#options = options;
    options.holder.replaceChildren(...options.sections.map((section) => this.#fold(section)));
  }

  /** Shows the present state of these seats, as far as their section was opened. */
  update(seats: Iterable<PlacedSeat>): void {
    for (const placed of seats) {
      const cell = this.#cells.get(placed.seat.id);
      if (cell) this.#show(cell, placed);
    }
  }

  #fold(section: Section): HTMLElement {
    const fold = make('details', '', 'fold seat-fold');
    fold.append(make('summary', `${section.name}, ${priceWords(section)}`));
    fold.addEventListener('toggle', () => {
      if (fold.open && !fold.querySelector('[role="grid"]')) fold.append(this.#grid(section));
    });
    return fold;
  }

  #grid(section: Section): HTMLElement {
    const grid = make('div', '', 'seat-grid');
    grid.setAttribute('role', 'grid');
    grid.setAttribute('aria-label', section.name);
    grid.setAttribute('aria-multiselectable', 'true');
    grid.append(...section.rows.map((row) => this.#row(row)));
    const first = grid.querySelector<HTMLElement>('[role="gridcell"]');
    if (first) first.tabIndex = 0;
    grid.addEventListener('keydown', (event) => this.#key(grid, event));
    grid.addEventListener('click', (event) => this.#pick(event.target));
    return grid;
  }

  #row(row: Row): HTMLElement {
    const line = make('div', '', 'seat-row');
    line.setAttribute('role', 'row');
    const head = make('span', row.row_number, 'seat-row-name');
    head.setAttribute('role', 'rowheader');
    head.setAttribute('aria-label', `Row ${row.row_number}`);
    line.append(head);
    for (const seat of row.seats) {
      const placed = this.#options.hall.find(seat.id);
      if (placed) line.append(this.#cell(placed));
    }
    return line;
  }

  #cell(placed: PlacedSeat): HTMLElement {
    const cell = make('span', placed.seat.seat_number, 'seat-cell');
    cell.setAttribute('role', 'gridcell');
    cell.tabIndex = -1;
    cell.dataset.seat = placed.seat.id;
    this.#cells.set(placed.seat.id, cell);
    this.#show(cell, placed);
    return cell;
  }

  #show(cell: HTMLElement, placed: PlacedSeat): void {
    const { seat } = placed;
    const chosen = this.#options.choice.has(seat.id);
    const isFree = chosen || seat.status === 'available';
    const wheelchair = seat.accessible ? ', wheelchair place' : '';
    const state = chosen ? ', chosen' : isFree ? '' : ', taken';
    cell.setAttribute(
      'aria-label',
      `Seat ${seat.seat_number}, ${moneyWords(seat.price)}${wheelchair}${state}`,
    );
    cell.setAttribute('aria-selected', String(chosen));
    cell.setAttribute('aria-disabled', String(!isFree));
  }

  #pick(target: EventTarget | null): void {
    const seatId = target instanceof HTMLElement ? target.dataset.seat : undefined;
    const placed = seatId === undefined ? undefined : this.#options.hall.find(seatId);
    if (placed) this.#options.onPick(placed);
  }

  #key(grid: HTMLElement, event: KeyboardEvent): void {
    const cell = event.target;
    if (!(cell instanceof HTMLElement) || !cell.dataset.seat) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#pick(cell);
      return;
    }
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const next = neighbour(grid, cell, step);
    if (!next) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

/** The cell one step away; in a shorter row the last one. */
function neighbour(grid: HTMLElement, cell: HTMLElement, [down, right]: [number, number]) {
  const rows = [...grid.children].map((row) => [
    ...row.querySelectorAll<HTMLElement>('[role="gridcell"]'),
  ]);
  const rowIndex = rows.findIndex((cells) => cells.includes(cell));
  const column = rows[rowIndex]?.indexOf(cell) ?? 0;
  const row = rows[rowIndex + down];
  const wanted = column + right;
  return row?.[down === 0 ? wanted : Math.min(wanted, row.length - 1)];
}

/** What its seats cost: rows of a section may have prices of their own. */
function priceWords({ price, rows }: Section): string {
  const amounts = rows.flatMap((row) => row.seats.map((seat) => seat.price.amount));
  const words = (amount: number): string => moneyWords({ ...price, amount });
  const low = amounts.reduce((least, each) => Math.min(least, each), amounts[0] ?? price.amount);
  const high = amounts.reduce((most, each) => Math.max(most, each), low);
  return low === high ? words(low) : `${words(low)} to ${words(high)}`;
}
