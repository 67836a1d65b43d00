// The console of one event: live numbers, their last ten minutes, and the controls.
import '../site/main.ts';
import './console.css';
import type { AdmissionSettings, SaleStatus } from '../lib/api.ts';
import { ref, showText } from '../lib/dom.ts';
import { type FrameOutcome, follow, type PollOutcome, streamUrl } from '../lib/feed.ts';
import { call } from '../lib/http.ts';
import { parseObject, parseSaleStatus, reconnectFrame } from '../lib/parse.ts';
import { accuracyWords, countWords } from '../lib/wording.ts';
import { prepareConstants } from './constants.ts';
import { Controls } from './controls.ts';
import { Figures } from './figures.ts';
import { phaseLabel } from './phases.ts';
import { rate } from './settings.ts';

const POLL_MS = 2_000;
/** The server sends a status every second. */
const SILENCE_MS = 10_000;

const page = ref('chart').closest('main') as HTMLElement;
const path = `/api/v1/admin/events/${encodeURIComponent(page.dataset.event ?? '')}`;
const settings = JSON.parse(ref('state').textContent ?? '{}') as AdmissionSettings;
const controls = document.querySelector('.controls') ? new Controls(path, settings) : null;
const figures = new Figures(path);
prepareConstants(path);

function show(status: SaleStatus): void {
  for (const element of document.querySelectorAll<HTMLElement>('[data-stat]')) {
    const value = status[element.dataset.stat as keyof SaleStatus];
    if (typeof value !== 'number') continue;
    element.textContent =
      element.dataset.stat === 'rate_per_minute' ? rate(value) : countWords(value);
  }
  showText(ref('reason'), status.reason, ref('reason-line'));
  // Worth saying where it is not what happens.
  const wouldBe = status.auto_rate_per_minute;
  showText(ref('auto-rate'), wouldBe === null ? null : rate(wouldBe), ref('auto-line'));
  showText(ref('waits'), status.waits && accuracyWords(status.waits), ref('waits-line'));
  const phase = ref('phase');
  phase.textContent = phaseLabel(status.phase);
  phase.dataset.phase = status.phase;
  controls?.showPhase(status.phase);
  figures.add(status);
  showLink(true);
}

function showLink(inContact: boolean): void {
  const badge = ref('link');
  badge.textContent = inContact ? 'Live' : 'No contact';
  badge.dataset.phase = inContact ? 'open' : 'sold_out';
}

function receive(text: string): FrameOutcome {
  const frame = parseObject(text);
  const reconnect = frame?.type === 'reconnect' ? reconnectFrame(frame) : null;
  if (reconnect) return { reconnectAfterMs: reconnect.after_ms };
  const status = parseSaleStatus(frame);
  if (status) show(status);
  return undefined;
}

async function poll(): Promise<PollOutcome> {
  const answer = await call<unknown>('GET', `${path}/status`);
  const status = answer.ok ? parseSaleStatus(answer.body) : null;
  if (status) show(status);
  // Signed out meanwhile: the server shows the way back in.
  if (!answer.ok && answer.status === 401) location.assign('/console');
  return { answered: answer.ok, nextMs: POLL_MS };
}

const feed = follow({
  url: streamUrl(`${path}/status/stream`),
  onFrame: receive,
  poll,
  onContact: showLink,
  silenceMs: SILENCE_MS,
});
feed.refresh();
