// The check whether a visitor is a person, where the event asks for it: loads the provider's
// widget, keeps its token for the join, and says what to do when it cannot be loaded.
import { button, ref } from '../lib/dom.ts';

/** What the three providers' scripts have in common. */
interface Widgets {
  render(
    place: HTMLElement,
    options: {
      sitekey: string;
      action: string;
      callback: (token: string) => void;
      'expired-callback': () => void;
      'error-callback': () => void;
    },
  ): unknown;
}

/** The names under which their scripts appear. */
const GLOBALS: Record<string, string> = {
  turnstile: 'turnstile',
  hcaptcha: 'hcaptcha',
  recaptcha: 'grecaptcha',
};
/** As the server expects it back from providers that keep it. */
const ACTION = 'join';
const ON_LOAD = 'usherCaptchaLoaded';
/** A blocked script may neither come nor fail. */
const LOADED_WITHIN_MS = 15_000;

const FIRST = 'Please pass the check above first.';
const EXPIRED = 'The check has expired. Please pass it again.';
const PROBLEM = 'The check reports a problem. Please reload the page and try again.';

export class Captcha {
  readonly #frame: HTMLElement;
  #token: string | null = null;

  constructor(frame: HTMLElement) {
    this.#frame = frame;
    this.#load();
  }

  /** The token, or null: then the visitor has been told what to do. */
  token(): string | null {
    if (this.#token === null && this.#status.textContent === '') {
      this.#say(FIRST);
      ref('captcha-widget', this.#frame).focus();
    }
    return this.#token;
  }

  get #status(): HTMLElement {
    return ref('captcha-status', this.#frame);
  }

  #say(sentence: string): void {
    this.#status.textContent = sentence;
  }

  #load(): void {
    const address = new URL(this.#frame.dataset.script ?? '', location.href);
    address.searchParams.set('render', 'explicit');
    address.searchParams.set('onload', ON_LOAD);
    const failed = (): void => this.#cannotLoad(address.host);
    const late = setTimeout(failed, LOADED_WITHIN_MS);
    Object.assign(globalThis, {
      [ON_LOAD]: () => {
        clearTimeout(late);
        this.#render();
      },
    });
    const script = document.createElement('script');
    script.addEventListener('error', () => {
      clearTimeout(late);
      failed();
    });
    script.async = true;
    script.src = address.href;
    document.head.append(script);
  }

  #render(): void {
    const { provider = '', siteKey = '' } = this.#frame.dataset;
    const widgets = Reflect.get(globalThis, GLOBALS[provider] ?? '') as Widgets | undefined;
    if (!widgets) {
      this.#say(PROBLEM);
      return;
    }
    this.#say('');
    widgets.render(ref('captcha-widget', this.#frame), {
      sitekey: siteKey,
      action: ACTION,
      callback: (token) => {
        this.#token = token;
        this.#say('');
      },
      'expired-callback': () => this.#lose(EXPIRED),
      'error-callback': () => this.#lose(PROBLEM),
    });
  }

  #lose(sentence: string): void {
    this.#token = null;
    this.#say(sentence);
  }

  #cannotLoad(host: string): void {
    this.#say(
      `The check could not be loaded. Your network or a blocker may keep out ${host}: ` +
        'allow it, or use another network or browser, and try again.',
    );
    this.#status.append(
      ' ',
      button('Try again', () => location.reload()),
    );
  }
}
