// The waiting page while the memory of the line is away: asks quietly whether it is
// back, ever later and never in step with everybody else, and goes on when it is.
import '../site/main.ts';
import { backoffMs } from '../lib/backoff.ts';

const MS_PER_SECOND = 1_000;
/** Here a form was sent to: asking for it is refused, and sending it again would join twice. */
const ONLY_FORMS = 405;

const page = document.querySelector('main');
const shortestMs = Number(page?.dataset.retrySeconds ?? 5) * MS_PER_SECOND;
// Without what stands behind a hash: going there would not ask the server at all.
let wayOn = location.pathname + location.search;

function tryIn(attempt: number): void {
  const delayMs = shortestMs * (1 + Math.random()) + backoffMs(attempt, Math.random());
  setTimeout(() => void ask(attempt), delayMs);
}

async function ask(attempt: number): Promise<void> {
  const response = await fetch(wayOn, { cache: 'no-store' }).catch(() => null);
  if (response?.status === ONLY_FORMS) wayOn = cameFrom();
  else if (response && response.status < 500) return location.replace(wayOn);
  tryIn(attempt + 1);
}

/** The page that the form stood on, if it was one of ours. */
function cameFrom(): string {
  const isOurs = document.referrer.startsWith(`${location.origin}/`);
  return isOurs && document.referrer !== location.href ? document.referrer : '/';
}

tryIn(0);
