// Server-Sent Events with the manners of a WebSocket, for networks that let no WebSocket
// through: it opens, it speaks, it closes, and whoever opened it decides about the next try.

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
  }

  get readyState(): number {
    return this.#source.readyState;
  }

  close(): void {
    this.#source.close();
    if (this.#ended) return;
    this.#ended = true;
    this.dispatchEvent(new Event('close'));
  }
}
