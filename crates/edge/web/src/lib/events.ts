// Server-Sent Events with the manners of a WebSocket, for networks that let no WebSocket
// through: it opens, it speaks, it closes, and whoever opened it decides about the next try.

/** The close code that says: a newer stream of this fan took over. */
export const REPLACED = 4_001;

/** What a feed needs of a stream; a WebSocket is one. */
export interface Stream extends EventTarget {
  /** 1 while it is open. */
  readonly readyState: number;
  close(): void;
}

export class EventStream extends EventTarget implements Stream {
  readonly #source: EventSource;
  #ended = false;

  constructor(url: string) {
    super();
    this.#source = new EventSource(url);
    this.#source.addEventListener('open', () => this.dispatchEvent(new Event('open')));
    this.#source.addEventListener('message', ({ data }) => {
      this.dispatchEvent(new MessageEvent('message', { data }));
    });
    // The browser would try again by itself, without our backoff and our alternatives.
    for (const end of ['error', 'look_again']) {
      this.#source.addEventListener(end, () => this.close());
    }
    this.#source.addEventListener('replaced', () => this.close(REPLACED));
  }

  get readyState(): number {
    return this.#source.readyState;
  }

  close(code?: number): void {
    this.#source.close();
    if (this.#ended) return;
    this.#ended = true;
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }
}
