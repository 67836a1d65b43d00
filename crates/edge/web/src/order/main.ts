// The order page: follows an order whose payment is not decided, and prints tickets.
import '../site/main.ts';
import './order.css';
import type { Order } from '../lib/api.ts';
import { backoffMs, jitteredMs } from '../lib/backoff.ts';
import { ref } from '../lib/dom.ts';
import { call } from '../lib/http.ts';

const POLL_MS = 2_000;

async function followOrder(path: string, attempt: number): Promise<void> {
  const answer = await call<Order>('GET', path);
  if (answer.ok && answer.body.status !== 'pending') {
    location.reload();
    return;
  }
  const waitMs = (answer.ok && answer.body.poll_after_ms) || POLL_MS + backoffMs(attempt, 0);
  setTimeout(() => void followOrder(path, attempt + 1), jitteredMs(waitMs, Math.random()));
}

const page = document.querySelector('main');
if (page?.dataset.status === 'pending') {
  void followOrder(`/api/v1/orders/${encodeURIComponent(page.dataset.order ?? '')}`, 0);
}
if (page?.dataset.status === 'confirmed' && document.querySelector('.tickets')) {
  const print = ref<HTMLButtonElement>('print');
  print.hidden = false;
  print.addEventListener('click', () => window.print());
}
