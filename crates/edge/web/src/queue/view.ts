// Shows a place on the queue page. Every part of the page exists in the template; this
// fills in figures and shows what applies.
import type { Place } from '../lib/api.ts';
import type { ServerClock } from '../lib/clock.ts';
import { type Countdown, countdown } from '../lib/countdown.ts';
import { ref, showText } from '../lib/dom.ts';
import { aheadWords, countWords, reasonWords, spokenTime, waitWords } from '../lib/wording.ts';
import { canLeave, type Panel, panelOf, progressOf, standsStill, titleOf } from './place.ts';

const CLAIM_WARNINGS_MS = [60_000, 30_000, 10_000];
const PANELS_WITH_PLACE: readonly Panel[] = ['waiting', 'paused', 'drawing'];

export class QueueView {
  readonly #eventId: string;
  readonly #eventTitle: string;
  readonly #opening: Countdown;
  readonly #claim: Countdown;
  #panel: Panel | null = null;

  constructor(page: HTMLElement, clock: ServerClock, onDeadline: () => void) {
    this.#eventId = page.dataset.event ?? '';
    this.#eventTitle = page.dataset.title ?? '';
    this.#opening = countdown({ element: ref('opens-in'), clock, onEnd: onDeadline });
    this.#claim = countdown({
      element: ref('claim-in'),
      clock,
      warnings: CLAIM_WARNINGS_MS,
      onWarning: (leftMs) => this.announce(`${spokenTime(leftMs)} left to go in.`),
      onEnd: onDeadline,
    });
  }

  show(place: Place): void {
    const panel = panelOf(place);
    document.title = titleOf(place, this.#eventTitle);
    this.#showPlace(place, panel);
    showText(ref('message-text'), place.message, ref('message'));
    ref('about').hidden = !canLeave(place);
    ref('opening').hidden = place.opens_at === null;
    this.#opening.setDeadline(panel === 'gathering' ? place.opens_at : null);
    this.#claim.setDeadline(place.claim_by);
    if (panel !== this.#panel) this.#showPanel(panel);
  }

  announce(sentence: string): void {
    ref('status').textContent = sentence;
  }

  // The notices stand in a region that is read out when one of them appears.
  showContact(inContact: boolean): void {
    ref('contact').hidden = inContact;
    if (inContact) this.announce('We are in contact again.');
  }

  showAsking(isAsking: boolean): void {
    ref('asking').hidden = !isAsking;
  }

  /** The figures here no longer move: say so, and offer to bring them back. */
  showReplaced(replaced: boolean): void {
    ref('replaced').hidden = !replaced;
    ref('use-here-line').hidden = !replaced;
  }

  showMissed(missed: boolean): void {
    ref('missed').hidden = !missed;
  }

  #showPanel(panel: Panel): void {
    for (const element of document.querySelectorAll<HTMLElement>('[data-panel]')) {
      element.hidden = element.dataset.panel !== panel;
    }
    // The focus moves only for the turn; everything else is announced quietly.
    if (panel === 'admitted') ref('turn').focus();
    this.#panel = panel;
  }

  #showPlace(place: Place, panel: Panel): void {
    const { number } = place;
    // Who is ahead is not known before the places are drawn.
    const ahead = panel === 'drawing' ? null : place.ahead;
    ref('place').hidden = number === null || !PANELS_WITH_PLACE.includes(panel);
    if (number === null) return;
    ref('number').textContent = countWords(number);
    showText(ref('ahead'), ahead === null ? null : aheadWords(ahead));
    this.#showProgress(number, ahead);
    const wait = panel === 'paused' ? null : place.estimated_wait_seconds;
    showText(ref('wait'), wait && waitWords(wait), ref('wait-line'));
    ref('standstill').hidden = !standsStill(place);
    showText(ref('reason'), place.reason && reasonWords(place.reason));
  }

  #showProgress(number: number, ahead: number | null): void {
    const bar = ref<HTMLProgressElement>('progress');
    bar.hidden = ahead === null;
    if (ahead === null) return;
    bar.value = progressOf(firstAhead(`usher-ahead:${this.#eventId}:${number}`, ahead), ahead);
  }
}

/** How many were ahead when this browser first saw the place; kept across tabs and reloads. */
function firstAhead(key: string, ahead: number): number {
  try {
    const kept = Number(localStorage.getItem(key) ?? Number.NaN);
    if (kept >= ahead) return kept;
    localStorage.setItem(key, String(ahead));
  } catch {
    // Storage can be switched off; the bar then starts at this page.
  }
  return ahead;
}
