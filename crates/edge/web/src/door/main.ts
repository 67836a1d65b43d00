// Check-in without waiting for pages: the form is sent as it is, and its answer taken out
// of the page that comes back. Scanners that type find the field ready at any time.
import '../site/main.ts';
import './door.css';
import { make, ref } from '../lib/dom.ts';
import { localiseTimes } from '../lib/times.ts';
import { canReadCodes, readCodes } from './camera.ts';
import { holdsTicket } from './gate.ts';
import { Sightings } from './sightings.ts';
import { Turns } from './turns.ts';

const TIMEOUT_MS = 20_000;
/** Other doors let people in too. */
const COUNT_AGAIN_MS = 15_000;
const GATE_KEY = 'usher-gate';
/** The answer may be lost, and not the scan. */
const NO_ANSWER = 'No answer; it may be checked in. Scan again to see.';
const WRONG_FIELD = 'Not checked: the ticket went into where you stand. Scan it again.';

const form = ref<HTMLFormElement>('scan');
const verdict = ref('verdict');
const gate = ref<HTMLInputElement>('gate');
const code = form.elements.namedItem('code') as HTMLInputElement;
const turns = new Turns((hasMissed) => {
  ref('missed').hidden = !hasMissed;
});
let stopCamera: (() => void) | null = null;
let isCameraStarting = false;

function warn(sentence: string): void {
  verdict.replaceChildren(make('p', sentence, 'notice warn'));
}

/** Replaces parts of this page by those of another one; false if it has none. */
function take(parts: string[], text: string): boolean {
  const page = new DOMParser().parseFromString(text, 'text/html');
  for (const part of parts) {
    const fresh = page.querySelector(`[data-ref="${part}"]`);
    if (!fresh) return false;
    localiseTimes(fresh);
    ref(part).replaceChildren(...fresh.childNodes);
  }
  return true;
}

async function check(scanned: string): Promise<void> {
  verdict.setAttribute('aria-busy', 'true');
  try {
    const response = await fetch(form.action, {
      method: 'POST',
      body: new URLSearchParams({ code: scanned, gate: gate.value }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    // The session is over, or the role no longer suffices: what came is a page of its own.
    if (response.redirected || response.status === 403) return location.reload();
    if (!take(['verdict', 'arrivals'], await response.text())) warn(NO_ANSWER);
  } catch {
    warn(NO_ANSWER);
  } finally {
    verdict.removeAttribute('aria-busy');
    makeReady();
  }
}

/** While the camera reads, a phone's keyboard would only be in the way. */
function makeReady(): void {
  if (!stopCamera && document.activeElement !== gate) code.focus();
}

function scan(scanned: string): void {
  if (scanned.trim()) turns.take(() => check(scanned));
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const scanned = code.value;
  code.value = '';
  scan(scanned);
});

// A scanner types wherever the focus is.
document.addEventListener('keydown', (event) => {
  const isText = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (isText && event.key !== ' ' && !(event.target instanceof HTMLInputElement)) code.focus();
});

let stand = localStorage.getItem(GATE_KEY) ?? gate.value;
gate.value = stand;
gate.addEventListener('change', () => {
  if (holdsTicket(gate.value)) {
    gate.value = stand;
    return warn(WRONG_FIELD);
  }
  stand = gate.value;
  localStorage.setItem(GATE_KEY, stand);
});
gate.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  code.focus();
});

setInterval(async () => {
  if (document.hidden) return;
  const page = await fetch(form.action, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(
    () => null,
  );
  if (page?.ok && !page.redirected) take(['arrivals'], await page.text());
}, COUNT_AGAIN_MS);

async function switchCamera(): Promise<void> {
  if (isCameraStarting) return;
  const [video, toggle] = [ref<HTMLVideoElement>('video'), ref('camera-switch')];
  const answer = ref('camera-answer');
  answer.textContent = '';
  if (stopCamera) {
    stopCamera();
    stopCamera = null;
  } else {
    const sightings = new Sightings();
    video.hidden = false;
    isCameraStarting = true;
    try {
      stopCamera = await readCodes(video, (seen) => {
        if (sightings.isNew(seen, Date.now())) scan(seen);
      });
    } catch {
      answer.textContent = 'The camera cannot be used. Allow it in the browser, or type the code.';
    } finally {
      isCameraStarting = false;
    }
  }
  video.hidden = stopCamera === null;
  toggle.setAttribute('aria-pressed', String(stopCamera !== null));
  toggle.textContent = stopCamera ? 'Stop the camera' : 'Scan with the camera';
}

void canReadCodes().then((can) => {
  ref('camera').hidden = !can;
});
ref('camera-switch').addEventListener('click', () => void switchCamera());
