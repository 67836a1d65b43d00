// The draw's part of the queue page: keeps the receipt while people gather, and says so
// when the draw was given up for the order of arrival.
import type { Place } from '../lib/api.ts';
import { ref } from '../lib/dom.ts';
import { call } from '../lib/http.ts';
import { keepReceipt, keptReceipt } from '../lib/receipts.ts';

export function watchDraw(event: string, queuePath: string, place: Place): void {
  ref('receipt').hidden = keptReceipt(event) === null;
  if (place.phase !== 'gathering' || place.standing !== 'waiting') return;
  void keepReceipt(event, queuePath).then((isKept) => {
    ref('receipt').hidden = !isKept;
  });
}

/** The page was made before this was known. */
export async function showHowItWasDrawn(queuePath: string): Promise<void> {
  const draws = await call<{ opened_as_fifo: boolean }[]>(
    'GET',
    queuePath.replace(/queue$/, 'draw'),
  );
  if (draws.ok) ref('fifo').hidden = !draws.body.some((draw) => draw.opened_as_fifo);
}
