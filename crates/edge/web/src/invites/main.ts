// New invite codes, taken along: copied, or as a file. Everything else is forms.
import '../site/main.ts';
import { ref } from '../lib/dom.ts';
import { csvOf } from './csv.ts';

/** A browser may still read the file after the click, or ask first where to put it. */
const KEPT_MS = 60_000;

const codes = document.querySelector<HTMLTextAreaElement>('[data-ref="codes"]');
if (codes) offer(codes);

function offer(area: HTMLTextAreaElement): void {
  const answer = ref('keep-answer');
  const tell = (sentence: string) => {
    answer.dataset.done = 'true';
    answer.textContent = sentence;
  };
  ref('keep').hidden = false;
  ref('copy').addEventListener('click', async () => {
    area.select();
    try {
      await navigator.clipboard.writeText(area.value);
      tell('Copied.');
    } catch {
      tell('They are selected: copy them with the keyboard or the menu.');
    }
  });
  ref('download').addEventListener('click', () => {
    save(csvOf(area.dataset.lane ?? '', area.value.split('\n')));
    tell('Downloading invite-codes.csv.');
  });
}

function save(csv: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([csv], { type: 'text/csv' }));
  link.download = 'invite-codes.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
