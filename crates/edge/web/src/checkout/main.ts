// The checkout: counts down the hold, offers more time, pays once, and follows an order
// whose outcome is not known yet.
import '../site/main.ts';
import './checkout.css';
import type { CommitRequest, Order, Reservation } from '../lib/api.ts';
import { jitteredMs } from '../lib/backoff.ts';
import { pageClock } from '../lib/clock.ts';
import { countdown } from '../lib/countdown.ts';
import { link, randomId, ref, showText } from '../lib/dom.ts';
import { call } from '../lib/http.ts';
import { clockWords, spokenTime } from '../lib/wording.ts';
import { type Attempt, AttemptKeeper } from './attempt.ts';
import { type Outcome, outcomeOf, outcomeOfOrder } from './outcome.ts';

/** More time is offered when this much is left: well before the 20 s that WCAG asks for. */
const OFFER_MORE_MS = 120_000;
const WARNINGS_MS = [OFFER_MORE_MS, 60_000, 20_000];
const FOLLOW_AGAIN_MS = 3_000;
const OVER = 'The time is over, and the tickets are offered to others again.';
const UNFINISHED =
  'A payment was begun here, and how it ended is not known. You will not be charged twice.';
const CHECKING =
  'We are checking your payment. Your tickets stay yours until it is decided; this page follows by itself.';

const form = ref<HTMLFormElement>('form');
const page = form.closest('main') as HTMLElement;
const eventId = page.dataset.event ?? '';
const reservationId = page.dataset.reservation ?? '';
const reservationPath = `/api/v1/reservations/${encodeURIComponent(reservationId)}`;
const keeper = new AttemptKeeper(sessionStorage, reservationId);
const pay = ref<HTMLButtonElement>('pay');
const payLabel = pay.textContent ?? 'Pay';
let extensions = Number(page.dataset.extensions ?? 0);

const hold = countdown({
  element: ref('left'),
  clock: pageClock(page),
  warnings: WARNINGS_MS,
  onWarning: (leftMs) => announce(warning(leftMs)),
  onTick: (leftMs) => {
    ref('more-time').hidden = extensions === 0 || leftMs > OFFER_MORE_MS || leftMs <= 0;
  },
  onEnd: () => {
    ref('more-time').hidden = true;
    if (!keeper.open()) showOver(OVER);
  },
});

function warning(leftMs: number): string {
  const more = extensions > 0 ? ' You can ask for more time.' : '';
  return `Your tickets are held for another ${spokenTime(leftMs)}.${more}`;
}

function announce(sentence: string): void {
  ref('status').textContent = sentence;
}

function showProblem(sentence: string | null, actions: HTMLElement[] = []): void {
  const box = ref('problem');
  showText(ref('problem-text'), sentence, box);
  ref('problem-actions').replaceChildren(...actions);
  if (sentence !== null) box.focus();
}

/** Nothing more can be done here. */
function showOver(sentence: string): void {
  hold.setDeadline(null);
  ref('left').textContent = clockWords(0);
  setForm({ fields: false, payable: false });
  ref('give-back').hidden = true;
  showProblem(sentence, [link('Choose again', `/e/${eventId}/seats`)]);
}

function setForm(state: { fields: boolean; payable: boolean; label?: string }): void {
  ref<HTMLFieldSetElement>('fields').disabled = !state.fields;
  pay.disabled = !state.payable;
  pay.textContent = state.label ?? payLabel;
  ref<HTMLButtonElement>('release').disabled = !state.fields;
}

function readForm(): Omit<CommitRequest, 'idempotency_key'> {
  const data = new FormData(form);
  const field = (name: string): string => String(data.get(name) ?? '').trim();
  return {
    payment_method_id: field('payment_method'),
    billing_details: { name: field('name'), email: field('email') },
  };
}

async function commit(): Promise<void> {
  const attempt = keeper.begin(readForm(), randomId);
  showProblem(null);
  setForm({ fields: false, payable: false, label: 'Paying…' });
  announce('Paying.');
  const answer = await call<Order>('POST', `${reservationPath}/commit`, { body: attempt.request });
  act(attempt, outcomeOf(answer));
}

function act(attempt: Attempt, outcome: Outcome): void {
  switch (outcome.kind) {
    case 'confirmed':
      keeper.end();
      location.assign(`/orders/${outcome.orderNumber}`);
      return;
    case 'follow':
      followOrder(attempt, outcome.orderNumber, outcome.afterMs);
      return;
    case 'unknown':
      setForm({ fields: false, payable: true, label: 'Try again' });
      showProblem(outcome.sentence);
      return;
    case 'declined':
      keeper.end();
      showText(ref('following'), null);
      setForm({ fields: true, payable: outcome.retryAllowed });
      showProblem(outcome.sentence);
      return;
    case 'expired':
      keeper.end();
      showOver(outcome.sentence);
      return;
    case 'refused':
      keeper.end();
      setForm({ fields: false, payable: false });
      showProblem(outcome.sentence, [link('Back to the event', `/e/${eventId}`)]);
      return;
  }
}

function followOrder(attempt: Attempt, orderNumber: string, afterMs: number): void {
  keeper.follow(attempt, orderNumber);
  hold.setDeadline(null);
  ref('left').textContent = 'while your payment is checked';
  ref('more-time').hidden = true;
  setForm({ fields: false, payable: false, label: 'Checking…' });
  if (ref('following').hidden) {
    showText(ref('following'), CHECKING);
    announce(CHECKING);
  }
  setTimeout(() => void askForOrder(attempt, orderNumber), jitteredMs(afterMs, Math.random()));
}

async function askForOrder(attempt: Attempt, orderNumber: string): Promise<void> {
  const answer = await call<Order>('GET', `/api/v1/orders/${encodeURIComponent(orderNumber)}`);
  if (answer.ok) act(attempt, outcomeOfOrder(answer.body));
  else followOrder(attempt, orderNumber, answer.retryAfterMs ?? FOLLOW_AGAIN_MS);
}

async function extend(): Promise<void> {
  const more = ref<HTMLButtonElement>('extend');
  more.disabled = true;
  const body = { additional_seconds: Number(page.dataset.extensionSeconds ?? 0) };
  const answer = await call<Reservation>('PATCH', `${reservationPath}/extend`, { body });
  more.disabled = false;
  if (!answer.ok) {
    showProblem(answer.message);
    return;
  }
  extensions = answer.body.extensions_remaining;
  hold.setDeadline(answer.body.expires_at);
  announce('You have more time.');
}

async function giveBack(): Promise<void> {
  setForm({ fields: false, payable: false });
  const answer = await call('DELETE', reservationPath);
  if (answer.ok || answer.status === 404 || answer.status === 410) {
    location.assign(`/e/${eventId}/seats`);
    return;
  }
  setForm({ fields: true, payable: true });
  showProblem(answer.message);
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void commit();
});
ref('extend').addEventListener('click', () => void extend());
ref('release').addEventListener('click', () => void giveBack());

const open = keeper.open();
if (open?.orderNumber) {
  followOrder(open, open.orderNumber, 0);
} else {
  if (open) act(open, { kind: 'unknown', sentence: UNFINISHED });
  else setForm({ fields: true, payable: true });
  // Last, so that a hold that is over closes what was opened above.
  hold.setDeadline(page.dataset.expires ?? null);
}
