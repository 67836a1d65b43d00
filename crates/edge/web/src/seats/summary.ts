// The chosen tickets with their total, and the places where the page speaks to the fan.

import type { Money } from '../lib/api.ts';
import { button, make, ref, showText } from '../lib/dom.ts';
import { moneyWords } from '../lib/wording.ts';
import type { Choice } from './choice.ts';

export function showSummary(choice: Choice, busy: boolean): void {
  const items = choice.items();
  const total = choice.total();
  ref('empty').hidden = items.length > 0;
  ref('layout').classList.toggle('chosen', items.length > 0);
  ref('items').replaceChildren(...items.map((item) => itemLine(item, total)));
  showText(ref('total'), total && moneyWords(total), ref('total-line'));
  const hold = ref<HTMLButtonElement>('hold');
  hold.disabled = items.length === 0 || busy;
  hold.textContent = busy ? 'Holding…' : holdLabel(choice.count);
}

export function showProblem(sentence: string | null, actions: HTMLElement[] = []): void {
  const box = ref('problem');
  showText(ref('problem-text'), sentence, box);
  ref('problem-actions').replaceChildren(...actions);
  if (sentence !== null) box.focus();
}

export function announce(sentence: string): void {
  ref('status').textContent = sentence;
}

function holdLabel(count: number): string {
  if (count === 0) return 'Hold';
  return count === 1 ? 'Hold 1 ticket' : `Hold ${count} tickets`;
}

function itemLine(item: ReturnType<Choice['items']>[number], total: Money | null): HTMLElement {
  const line = make('li');
  const price = moneyWords({ amount: item.amount, currency: total?.currency ?? 'USD' });
  const remove = button('×', item.remove);
  remove.className = 'button icon remove';
  remove.setAttribute('aria-label', `Remove ${item.label}`);
  line.append(make('span', item.label), make('span', price, 'price'), remove);
  return line;
}
