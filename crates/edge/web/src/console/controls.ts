// The controls of one event. Each change is answered visibly with what the server says it
// now is, never with what was typed.
import type { AdmissionSettings, Phase } from '../lib/api.ts';
import { button, ref } from '../lib/dom.ts';
import { type Answer, call } from '../lib/http.ts';
import { phaseLabel, type Step, stepsFrom } from './phases.ts';
import { settingsOf, settingsProblem, settingsWords } from './settings.ts';

const FIGURES = [
  'rate_per_minute',
  'min_rate_per_minute',
  'max_rate_per_minute',
  'max_inside',
] as const;

export class Controls {
  readonly #path: string;
  #phase: Phase | null = null;
  /** As the server last said them, with what the form does not show. */
  #settings: AdmissionSettings;

  constructor(path: string, settings: AdmissionSettings) {
    this.#path = path;
    this.#settings = settings;
    this.#prepareAdmission();
    this.#prepareMessage();
    ref('phase-no').addEventListener('click', () => this.#ask(null));
  }

  showPhase(phase: Phase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#ask(null);
    const steps = stepsFrom(phase);
    ref('phase-buttons').replaceChildren(
      ...steps.map((step) => button(step.label, () => this.#choose(step))),
    );
  }

  #prepareAdmission(): void {
    const form = ref<HTMLFormElement>('admission');
    fill(form, this.#settings);
    form.addEventListener('change', () => showFieldsOf(form));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#applyAdmission(form);
    });
  }

  async #applyAdmission(form: HTMLFormElement): Promise<void> {
    const settings = settingsOf(new FormData(form), this.#settings);
    const problem = settingsProblem(settings);
    if (problem) {
      say('admission-answer', problem, false);
      return;
    }
    const answer = await call<AdmissionSettings>('PUT', `${this.#path}/admission`, {
      body: settings,
    });
    if (answer.ok) {
      this.#settings = answer.body;
      fill(form, answer.body);
    }
    report('admission-answer', answer, () => (answer.ok ? settingsWords(answer.body) : ''));
  }

  #prepareMessage(): void {
    const form = ref<HTMLFormElement>('message');
    const text = form.querySelector('textarea');
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#putMessage(text?.value.trim() || null);
    });
    ref('clear-message').addEventListener('click', () => {
      if (text) text.value = '';
      void this.#putMessage(null);
    });
  }

  async #putMessage(message: string | null): Promise<void> {
    const answer = await call('PUT', `${this.#path}/message`, { body: { message } });
    report('message-answer', answer, () =>
      message === null ? 'No message is shown.' : 'Everybody waiting sees it now.',
    );
  }

  #choose(step: Step): void {
    if (step.question === null) void this.#go(step.to);
    else this.#ask(step);
  }

  #ask(step: Step | null): void {
    ref('phase-confirm').hidden = step === null;
    if (!step) return;
    ref('phase-question').textContent = step.question;
    const yes = ref<HTMLButtonElement>('phase-yes');
    yes.onclick = () => {
      this.#ask(null);
      void this.#go(step.to);
    };
    ref('phase-no').focus();
  }

  async #go(phase: Phase): Promise<void> {
    const answer = await call('POST', `${this.#path}/phase`, { body: { phase } });
    report('phase-answer', answer, () => `The event is now: ${phaseLabel(phase)}.`);
  }
}

function fill(form: HTMLFormElement, settings: AdmissionSettings): void {
  for (const radio of form.querySelectorAll<HTMLInputElement>('[name="mode"]')) {
    radio.checked = radio.value === settings.mode;
  }
  for (const name of FIGURES) {
    const input = form.elements.namedItem(name);
    if (input instanceof HTMLInputElement) input.value = String(settings[name] ?? '');
  }
  const dryRun = form.elements.namedItem('dry_run');
  if (dryRun instanceof HTMLInputElement) dryRun.checked = settings.dry_run === true;
  showFieldsOf(form);
}

/** Only what the chosen mode listens to. */
function showFieldsOf(form: HTMLFormElement): void {
  const mode = new FormData(form).get('mode');
  ref('manual-rate').hidden = mode !== 'manual';
  ref('auto-range').hidden = mode !== 'auto';
}

/** Says what the server made of a change. */
export function report(name: string, answer: Answer<unknown>, words: () => string): void {
  say(name, answer.ok ? words() : answer.message, answer.ok);
}

function say(name: string, sentence: string, done: boolean): void {
  const line = ref(name);
  line.textContent = done ? `✓ ${sentence}` : sentence;
  line.dataset.done = String(done);
}
