// Standing tiers: how many, by a stepper that is also plain buttons to a screen reader.
import type { Tier } from '../lib/api.ts';
import { make } from '../lib/dom.ts';
import { countWords, moneyWords } from '../lib/wording.ts';
import type { Choice } from './choice.ts';

export interface TierListOptions {
  holder: HTMLElement;
  tiers: Tier[];
  choice: Choice;
  onRefused: () => void;
}

export function showTiers(options: TierListOptions): void {
  options.holder.replaceChildren(...options.tiers.map((tier) => tierLine(tier, options)));
}

function tierLine(tier: Tier, { choice, onRefused }: TierListOptions): HTMLElement {
  const line = make('li');
  const words = make('div');
  words.append(make('strong', tier.name), make('span', ` ${moneyWords(tier.price)}`));
  const left = make('p', '', 'quiet');
  words.append(left);

  const figure = make('output', '', 'stepper-figure');
  figure.setAttribute('aria-label', `Chosen for ${tier.name}`);
  const step = (by: number): void => {
    if (!choice.setTier(tier, choice.tierCount(tier.id) + by)) onRefused();
  };
  const fewer = stepButton('−', `One fewer for ${tier.name}`, () => step(-1));
  const more = stepButton('+', `One more for ${tier.name}`, () => step(1));
  const show = (): void => {
    const count = choice.tierCount(tier.id);
    figure.textContent = String(count);
    left.textContent = tier.available === 0 ? 'None left' : `${countWords(tier.available)} left`;
    fewer.setAttribute('aria-disabled', String(count === 0));
    more.setAttribute('aria-disabled', String(choice.isFull || count >= tier.available));
  };
  choice.onChange(show);
  show();

  const stepper = make('div', '', 'stepper');
  stepper.append(fewer, figure, more);
  line.append(words, stepper);
  return line;
}

/** Disabled for the eye and for readers, but still focusable, so that the focus is not lost. */
function stepButton(sign: string, label: string, onClick: () => void): HTMLButtonElement {
  const element = make('button', sign, 'button icon');
  element.type = 'button';
  element.setAttribute('aria-label', label);
  element.addEventListener('click', () => {
    if (element.getAttribute('aria-disabled') !== 'true') onClick();
  });
  return element;
}
