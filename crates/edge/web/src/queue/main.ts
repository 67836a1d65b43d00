// The queue page: follows the stream, shows the place, and says when it is the fan's turn.
import '../site/main.ts';
import './queue.css';
import { watchJoins } from '../event/join.ts';
import type { Place } from '../lib/api.ts';
import { pageClock } from '../lib/clock.ts';
import { ref } from '../lib/dom.ts';
import { type FrameOutcome, follow, type PollOutcome, streamUrl } from '../lib/feed.ts';
import { call } from '../lib/http.ts';
import { parsePlace, parseQueueFrame } from '../lib/parse.ts';
import { showHowItWasDrawn, watchDraw } from './draw.ts';
import { announcement, applyFrame, missedTheTurn } from './place.ts';
import { QueueView } from './view.ts';

/** The server speaks at least every 10 s. */
const SILENCE_MS = 30_000;
/** When to ask whether the place is still here, after another stream took over. */
const LOOK_AGAIN_AFTER_MS = [0, 3_000, 10_000];
/** Answers that mean: this browser has no place in this line. */
const NOT_IN_LINE = [401, 403, 404, 410];
/** Of them, those that stay so: asking on would only be refused. */
const NO_PLACE_HERE = ['token_replaced', 'queue_token_required'];

function start(page: HTMLElement, first: Place): void {
  const path = `/api/v1/events/${encodeURIComponent(page.dataset.event ?? '')}/queue`;
  const clock = pageClock(page);
  const view = new QueueView(page, clock, () => feed.refresh());
  let place = first;

  const change = (next: Place): void => {
    const sentence = announcement(place, next);
    if (sentence) view.announce(sentence);
    if (missedTheTurn(place, next)) view.showMissed(true);
    if (next.standing === 'admitted') view.showMissed(false);
    if (place.phase === 'drawing' && next.phase === 'open') void showHowItWasDrawn(path);
    place = next;
    view.show(place);
  };

  const poll = async (): Promise<PollOutcome> => {
    const answer = await call<Record<string, unknown>>('GET', path, {
      onDate: (date, sent, received) => clock.observe(date, sent, received),
    });
    if (answer.ok) {
      const next = parsePlace(answer.body);
      if (next) change({ ...next, opens_at: next.opens_at ?? place.opens_at });
      const { poll_after_ms } = answer.body;
      return { answered: true, nextMs: typeof poll_after_ms === 'number' ? poll_after_ms : null };
    }
    const isAbsent = NOT_IN_LINE.includes(answer.status);
    if (isAbsent) {
      if (NO_PLACE_HERE.includes(answer.code)) feed.stop();
      view.showReplaced(false);
      change({ ...place, standing: 'absent', number: null, claim_by: null });
    }
    return { answered: isAbsent, nextMs: answer.retryAfterMs };
  };

  const onFrame = (text: string): FrameOutcome => {
    const frame = parseQueueFrame(text);
    if (frame?.type === 'reconnect') return { reconnectAfterMs: frame.after_ms };
    if (frame) change(applyFrame(place, frame));
    return undefined;
  };

  if (page.dataset.order === 'lottery') watchDraw(page.dataset.event ?? '', path, place);
  view.show(place);
  const feed = follow({
    url: streamUrl(`${path}/stream`),
    eventsUrl: `${path}/events`,
    onFrame,
    poll,
    onContact: (inContact) => view.showContact(inContact),
    onLive: (isLive) => view.showAsking(!isLive),
    onReplaced: () => {
      view.showReplaced(true);
      // The place may have moved to another device for good: then there is nothing to take
      // back. The server knows it a tick later than the other device does.
      for (const afterMs of LOOK_AGAIN_AFTER_MS) setTimeout(() => void poll(), afterMs);
    },
    silenceMs: SILENCE_MS,
  });
  ref('use-here').addEventListener('click', () => {
    view.showReplaced(false);
    feed.takeOver();
  });
}

const page = document.querySelector('main');
if (page?.dataset.event) watchJoins(page.dataset.event);
const embedded: unknown = JSON.parse(ref('state').textContent ?? 'null');
const place = parsePlace(embedded);
if (page && place) start(page, place);
