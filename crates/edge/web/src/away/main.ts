// The waiting page while the memory of the line is away: asks quietly whether it is
// back, ever later and never in step with everybody else, and reloads when it is.
import '../site/main.ts';
import { backoffMs } from '../lib/backoff.ts';

const MS_PER_SECOND = 1_000;

const page = document.querySelector('main');
const shortestMs = Number(page?.dataset.retrySeconds ?? 5) * MS_PER_SECOND;

function tryIn(attempt: number): void {
  const delayMs = shortestMs * (1 + Math.random()) + backoffMs(attempt, Math.random());
  setTimeout(() => void ask(attempt), delayMs);
}

async function ask(attempt: number): Promise<void> {
  const response = await fetch(location.href, { cache: 'no-store' }).catch(() => null);
  if (response && response.status < 500) location.reload();
  else tryIn(attempt + 1);
}

tryIn(0);
