// Joining where it asks for proof first: takes the CAPTCHA's token, fetches the puzzle,
// has it solved beside the page, says how far that is, and sends the form with both.
import { ref } from '../lib/dom.ts';
import { call } from '../lib/http.ts';
import { type Puzzle, payloadOf } from '../lib/puzzle.ts';
import type { Word } from '../lib/puzzle.worker.ts';
import { Captcha } from './captcha.ts';

const FAILED = 'This did not work. Please try again, or use another browser.';

export function watchJoins(event: string): void {
  const frame = document.querySelector<HTMLElement>('[data-ref="captcha"]');
  const captcha = frame ? new Captcha(frame) : null;
  for (const form of document.querySelectorAll<HTMLFormElement>('form[data-join]')) {
    form.addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      void join(form, event, captcha);
    });
  }
}

async function join(form: HTMLFormElement, event: string, captcha: Captcha | null): Promise<void> {
  if (captcha && captcha.token() === null) return;
  const path = `/api/v1/events/${encodeURIComponent(event)}/queue/puzzle`;
  const answer = await call<{ puzzle: Puzzle | null }>('GET', path);
  if (!answer.ok) return say(answer.message);
  const { puzzle } = answer.body;
  if (puzzle) {
    if (globalThis.crypto?.subtle === undefined) return say('Open this page over https to join.');
    const number = await solveBeside(puzzle);
    if (number === null) return say(FAILED);
    addField(form, 'puzzle', payloadOf(puzzle, number));
  }
  // Work takes a while, and a token may expire meanwhile.
  const token = captcha?.token();
  if (token === null) return;
  if (token !== undefined) addField(form, 'captcha', token);
  form.submit();
}

function solveBeside(puzzle: Puzzle): Promise<number | null> {
  const worker = new Worker(new URL('../lib/puzzle.worker.ts', import.meta.url), {
    type: 'module',
  });
  const bar = ref<HTMLProgressElement>('work-progress');
  ref('work').hidden = false;
  say(
    'To keep machines out, your browser does a little work. This takes a moment; then you are in.',
  );
  return new Promise((resolve) => {
    const end = (number: number | null): void => {
      worker.terminate();
      ref('work').hidden = number === null;
      resolve(number);
    };
    worker.addEventListener('message', ({ data }: MessageEvent<Word>) => {
      if ('progress' in data) bar.value = data.progress;
      else end(data.number);
    });
    worker.addEventListener('error', () => end(null));
    worker.postMessage(puzzle);
  });
}

/** One field, also when the form is sent again. */
function addField(form: HTMLFormElement, name: string, value: string): void {
  const known = form.querySelector<HTMLInputElement>(`input[name="${name}"]`);
  const field = known ?? document.createElement('input');
  Object.assign(field, { type: 'hidden', name, value });
  if (!known) form.append(field);
}

function say(sentence: string): void {
  ref('work-status').textContent = sentence;
}
