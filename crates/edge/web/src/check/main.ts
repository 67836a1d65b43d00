// The check page: fetches what the draw published and this fan's own proof, and judges them
// here, in the browser.
import '../site/main.ts';
import { make, ref } from '../lib/dom.ts';
import type { InclusionProof } from '../lib/draw.ts';
import { call } from '../lib/http.ts';
import { keptReceipt } from '../lib/receipts.ts';
import {
  type Check,
  checkInclusion,
  checkNumber,
  checkReceipt,
  checkRoot,
  type Published,
  type SigningKey,
} from './judge.ts';

const MARKS = { good: 'Holds: ', bad: 'Does not hold: ', open: 'Not to be judged: ' };

interface Own {
  fan_id: string;
  lane: string;
  number: number | null;
}

function tell({ passed, sentence }: Check): void {
  const kind = passed === null ? 'open' : passed ? 'good' : 'bad';
  const item = make('li', '', `check ${kind}`);
  item.append(make('strong', MARKS[kind]), sentence);
  ref('checks').append(item);
}

function offerRecord(published: Published, own: Own, place: number): void {
  const button = ref<HTMLButtonElement>('check-number');
  button.hidden = false;
  button.addEventListener('click', async () => {
    button.disabled = true;
    ref('status').textContent = 'The record is being fetched.';
    try {
      const response = await fetch(new URL(published.record_url ?? '').pathname);
      tell(await checkNumber(await response.text(), own.fan_id, place, published));
      button.hidden = true;
      ref('status').textContent = 'The record was checked.';
    } catch {
      button.disabled = false;
      ref('status').textContent = 'The record could not be fetched. Please try again.';
    }
  });
}

async function checkOwn(path: string, published: Published, own: Own): Promise<void> {
  const { root } = published;
  if (!root) return;
  const proof = await call<{ proof: InclusionProof }>('GET', `${path}/draw/${own.lane}/proof`);
  if (!proof.ok && proof.code !== 'not_in_list') {
    tell({ passed: null, sentence: proof.message });
    return;
  }
  const receipt = keptReceipt(published.root?.event ?? '');
  tell(await checkInclusion(own.fan_id, proof.ok ? proof.body.proof : null, root, receipt));
  const isDrawn = own.number !== null && own.number <= root.fans;
  if (isDrawn && published.record_url !== null) offerRecord(published, own, own.number ?? 0);
}

async function run(event: string): Promise<void> {
  const path = `/api/v1/events/${encodeURIComponent(event)}`;
  const [draws, keys, place] = await Promise.all([
    call<Published[]>('GET', `${path}/draw`),
    call<{ keys: SigningKey[] }>('GET', '/.well-known/jwks.json'),
    call<Own>('GET', `${path}/queue`),
  ]);
  const own = place.ok ? place.body : null;
  const all = draws.ok ? draws.body : [];
  const published = all.find(({ lane }) => lane === (own?.lane ?? 'main'));
  if (!published || !keys.ok) {
    tell({ passed: null, sentence: 'Nothing is published of a draw of this event.' });
    return;
  }
  ref('fifo').hidden = !published.opened_as_fifo;
  const receipt = keptReceipt(event);
  tell(await checkReceipt(receipt, own?.fan_id ?? null, published, keys.body.keys));
  tell(await checkRoot(published, keys.body.keys));
  if (own) await checkOwn(path, published, own);
  else tell({ passed: null, sentence: 'This browser has no place in this line to look for.' });
}

const event = document.querySelector('main')?.dataset.event ?? '';
if (globalThis.crypto?.subtle === undefined) {
  ref('status').textContent = 'Open this page over https: only there browsers check anything.';
} else {
  ref('status').textContent = 'Checking.';
  await run(event);
  ref('status').textContent = 'What could be checked was checked, in this browser.';
}
