// The seat page: fetches the map, keeps it live, lets a fan choose, and asks for a hold.
import '../site/main.ts';
import './seats.css';
import type { Reservation, ReservationRequest, SeatMap, Tier } from '../lib/api.ts';
import { jitteredMs } from '../lib/backoff.ts';
import { pageClock } from '../lib/clock.ts';
import { countdown } from '../lib/countdown.ts';
import { button, link, make, randomId, ref } from '../lib/dom.ts';
import { type FrameOutcome, follow, type PollOutcome, streamUrl } from '../lib/feed.ts';
import { call } from '../lib/http.ts';
import { parseSeatFrame } from '../lib/parse.ts';
import { moneyWords, spokenTime } from '../lib/wording.ts';
import { Choice } from './choice.ts';
import { listenForGestures } from './gestures.ts';
import { Hall } from './hall.ts';
import { type PlacedSeat, seatName } from './layout.ts';
import { SeatList } from './list.ts';
import { Picture } from './picture.ts';
import { type Refusal, refusalOf } from './refusal.ts';
import { announce, showProblem, showSummary } from './summary.ts';
import { showTiers } from './tiers.ts';

/** While the stream is away the whole map is fetched, which is large: not too often. */
const MAP_POLL_MS = 15_000;
const SESSION_WARNINGS_MS = [120_000, 60_000, 20_000];
const FIRST_TRY_AGAIN_MS = 3_000;

const page = ref<HTMLElement>('layout').closest('main') as HTMLElement;
const eventId = page.dataset.event ?? '';
const apiPath = `/api/v1/events/${encodeURIComponent(eventId)}`;
const choice = new Choice(Number(page.dataset.limit ?? 1));

type Wish = Omit<ReservationRequest, 'client_reservation_id'>;

/** The client names the hold, so that a repeated request finds the same one. */
class Holding {
  #wish = '';
  #id = '';
  busy = false;

  async ask(wish: Wish): Promise<void> {
    if (this.busy) return;
    const spelled = JSON.stringify(wish);
    if (spelled !== this.#wish) {
      this.#wish = spelled;
      this.#id = randomId();
    }
    this.#setBusy(true);
    showProblem(null);
    const body: ReservationRequest = { client_reservation_id: this.#id, ...wish };
    const answer = await call<Reservation>('POST', `${apiPath}/reservations`, { body });
    if (answer.ok) {
      location.assign(`/e/${eventId}/checkout/${answer.body.reservation_id}`);
      return;
    }
    this.#setBusy(false);
    const refusal = refusalOf(answer);
    if (!refusal.mayRepeat) this.#wish = '';
    showRefusal(refusal);
    if (!refusal.mayRepeat) void refetch();
  }

  #setBusy(busy: boolean): void {
    this.busy = busy;
    showSummary(choice, busy);
  }
}

const holding = new Holding();
let tiers: Tier[] = [];
let hall: Hall | null = null;
let list: SeatList | null = null;
let picture: Picture | null = null;

function showRefusal(refusal: Refusal): void {
  applyChanges(refusal.gone.map((seatId) => [seatId, 'held']));
  const actions: HTMLElement[] = [];
  const others = refusal.alternatives.flatMap((seatId) => hall?.find(seatId) ?? []);
  if (others.length > 0) {
    const names = others.map(seatName).join('; ');
    actions.push(button(`Take instead: ${names}`, () => takeInstead(others)));
  }
  if (refusal.goToLine) actions.push(link('Back to the line', `/e/${eventId}/queue`));
  showProblem(refusal.sentence, actions);
}

function takeInstead(others: PlacedSeat[]): void {
  showProblem(null);
  for (const placed of others) {
    if (!choice.has(placed.seat.id)) choice.toggle(placed);
  }
  ref('hold').focus();
}

function pick(placed: PlacedSeat): void {
  const name = seatName(placed);
  const was = choice.has(placed.seat.id);
  if (choice.toggle(placed)) announce(was ? `${name} left.` : `${name} chosen.`);
  else if (choice.isFull) sayFull();
  else announce(`${name} is taken.`);
}

function sayFull(): void {
  announce(`One order can have ${choice.limit} tickets.`);
  ref('hint').textContent = `One order can have ${choice.limit} tickets.`;
}

function applyChanges(changes: ReturnType<typeof Hall.statuses>): void {
  const lost = choice.drop(changes);
  list?.update(hall?.apply(changes) ?? []);
  picture?.draw();
  if (lost.length > 0) {
    showProblem(`Somebody else was quicker: ${lost.join('; ')}. Please choose again.`);
  }
}

function applyTiers(fresh: Tier[]): void {
  for (const tier of tiers) {
    tier.available = fresh.find(({ id }) => id === tier.id)?.available ?? tier.available;
  }
  choice.announceChange();
}

function build(map: SeatMap): void {
  const built = new Hall(map);
  hall = built;
  ref('layout').hidden = false;
  ref('map').hidden = built.layout.seats.length === 0;
  tiers = map.tiers ?? [];
  ref('tiers').hidden = tiers.length === 0;
  showTiers({ holder: ref('tier-list'), tiers, choice, onRefused: sayFull });
  list = new SeatList({
    holder: ref('list'),
    sections: map.sections,
    hall: built,
    choice,
    onPick: pick,
  });
  const canvas = ref<HTMLCanvasElement>('canvas');
  picture = new Picture({ canvas, layout: built.layout, choice, onPick: pick, onHover: showHint });
  listenForGestures(canvas, picture);
  ref('zoom-in').addEventListener('click', () => picture?.zoom(true));
  ref('zoom-out').addEventListener('click', () => picture?.zoom(false));
  prepareBest(map);
  choice.onChange(() => {
    showSummary(choice, holding.busy);
    list?.update(built.layout.seats);
    picture?.draw();
  });
  showSummary(choice, false);
  ref('hold').addEventListener('click', () => void holding.ask(choice.request()));
}

function showHint(placed: PlacedSeat | null): void {
  if (!placed) return;
  const isFree = placed.seat.status === 'available' || choice.has(placed.seat.id);
  const state = isFree ? moneyWords(placed.seat.price) : 'taken';
  ref('hint').textContent = `${seatName(placed)} · ${state}`;
}

function prepareBest(map: SeatMap): void {
  const form = ref<HTMLFormElement>('best');
  form.hidden = map.sections.length === 0;
  for (const section of map.sections) {
    ref('best-section').append(
      new Option(`${section.name}, ${moneyWords(section.price)}`, section.id),
    );
  }
  for (let count = 1; count <= choice.limit; count += 1) {
    ref('best-count').append(new Option(String(count), String(count), count === 2, count === 2));
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const section = ref<HTMLSelectElement>('best-section').value;
    const count = Number(ref<HTMLSelectElement>('best-count').value);
    void holding.ask({ best_available: section ? { section, count } : { count } });
  });
}

function watchSession(): void {
  const ends = page.dataset.sessionEnds;
  if (!ends) return;
  const over = (): void => {
    showProblem('Your time inside is over. Join the line again to come back.', [
      link('To the line', `/e/${eventId}`),
    ]);
  };
  const timer = countdown({
    element: ref('session-left'),
    clock: pageClock(page),
    warnings: SESSION_WARNINGS_MS,
    onWarning: (leftMs) =>
      announce(`${spokenTime(leftMs)} left to choose. Holding gives you more.`),
    onEnd: over,
  });
  timer.setDeadline(ends);
}

async function refetch(): Promise<PollOutcome> {
  const answer = await call<SeatMap>('GET', `${apiPath}/seatmap`);
  if (answer.ok) {
    applyChanges(Hall.statuses(answer.body));
    applyTiers(answer.body.tiers ?? []);
  }
  return { answered: answer.ok, nextMs: MAP_POLL_MS };
}

function receive(text: string): FrameOutcome {
  const frame = parseSeatFrame(text);
  if (frame?.type === 'reconnect') return { reconnectAfterMs: frame.after_ms };
  if (frame) applyChanges(frame.changes);
  return undefined;
}

async function start(): Promise<void> {
  ref('loading').hidden = false;
  const answer = await call<SeatMap>('GET', `${apiPath}/seatmap`);
  ref('loading').hidden = true;
  if (!answer.ok) {
    showProblem(`${answer.message} This page tries again by itself.`);
    const waitMs = jitteredMs(answer.retryAfterMs ?? FIRST_TRY_AGAIN_MS, Math.random());
    setTimeout(() => void start(), waitMs);
    return;
  }
  showProblem(null);
  build(answer.body);
  watchSession();
  const hint = make('p', 'Live changes are delayed at the moment.', 'quiet');
  follow({
    url: streamUrl(`${apiPath}/seatmap/stream`),
    onFrame: receive,
    onOpen: () => void refetch(),
    poll: refetch,
    onContact: (inContact) => {
      if (inContact) hint.remove();
      else ref('map').prepend(hint);
    },
    silenceMs: null,
  });
}

void start();
