// Keeps a page in touch with the server: a WebSocket, or Server-Sent Events where those
// are blocked, polling while there is neither, and an honest word when nothing answers. Losing the connection never
// means leaving the line, so this only ever tries again.
import { backoffMs, jitteredMs } from './backoff.ts';
import { EventStream, REPLACED, type Stream } from './events.ts';

const CHECK_MS = 1_000;
/** Contact counts as lost when polls fail and nothing was heard for this long. */
const LOST_AFTER_MS = 10_000;
const DEFAULT_POLL_MS = 5_000;
const SHORTEST_POLL_MS = 1_000;
const LONGEST_POLL_MS = 60_000;
/** After so many attempts, each kind of stream once, the network lets none through. */
const ATTEMPTS_BEFORE_ASKING = 2;

/** What a page makes of a frame: nothing special, or the server's wish to reconnect. */
export type FrameOutcome = { reconnectAfterMs: number } | undefined;

/** What became of a poll, and when the server wants the next one. */
export interface PollOutcome {
  answered: boolean;
  nextMs: number | null;
}

export interface FeedOptions {
  url: string;
  /** The same frames as Server-Sent Events, tried in turn with the WebSocket. */
  eventsUrl?: string;
  onFrame: (text: string) => FrameOutcome;
  /** Fetches the state once. */
  poll: () => Promise<PollOutcome>;
  onContact: (inContact: boolean) => void;
  /** Whether a stream tells news at once, or none could be had and the page asks. */
  onLive?: (isLive: boolean) => void;
  /** The stream is (again) open; whatever was sent meanwhile was missed. */
  onOpen?: () => void;
  /** Another tab or device of this fan has the stream now: nothing is asked until `takeOver`. */
  onReplaced?: () => void;
  /** A socket that is silent for longer is dead; null when silence is normal. */
  silenceMs: number | null;
  openSocket?: (url: string) => Stream;
  openEvents?: (url: string) => Stream;
  random?: () => number;
}

type Timer = ReturnType<typeof setTimeout>;

export class Feed {
  readonly #options: FeedOptions;
  readonly #random: () => number;
  #socket: Stream | null = null;
  #useEvents = false;
  /** The stream of this attempt has spoken; some proxies open one and hold it back. */
  #hasSpoken = false;
  #isLive = true;
  #attempt = 0;
  #failedPolls = 0;
  #heardAtMs = Date.now();
  #connectedAtMs = Date.now();
  #inContact = true;
  #stopped = false;
  #replaced = false;
  #polling = false;
  #reconnectTimer: Timer | undefined;
  #pollTimer: Timer | undefined;
  #checkTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  start(): void {
    this.#checkTimer = setInterval(() => this.#check(), CHECK_MS);
    this.#connect();
    this.#pollIn(DEFAULT_POLL_MS);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#reconnectTimer);
    clearTimeout(this.#pollTimer);
    clearInterval(this.#checkTimer);
    this.#socket?.close();
  }

  /** Gets the stream back from wherever it went. */
  takeOver(): void {
    if (!this.#replaced || this.#stopped) return;
    this.#replaced = false;
    this.#connect();
    this.#pollIn(DEFAULT_POLL_MS);
  }

  /** The page came back to the front, or the network did: look at once. */
  refresh(): void {
    if (this.#stopped || this.#replaced) return;
    if (!this.#socket) this.#connect();
    void this.#poll();
  }

  #connect(): void {
    clearTimeout(this.#reconnectTimer);
    const socket = this.#open();
    this.#socket = socket;
    this.#hasSpoken = false;
    this.#connectedAtMs = Date.now();
    socket.addEventListener('open', () => {
      this.#heard();
      this.#options.onOpen?.();
    });
    socket.addEventListener('message', (event) => {
      if (event instanceof MessageEvent) this.#receive(String(event.data));
    });
    socket.addEventListener('close', (event) => {
      if ('code' in event && event.code === REPLACED) this.#giveWay(socket);
      else this.#closed(socket);
    });
  }

  #open(): Stream {
    const { url, eventsUrl, openSocket, openEvents } = this.#options;
    if (eventsUrl === undefined || !this.#useEvents) return openSocket?.(url) ?? new WebSocket(url);
    return openEvents?.(eventsUrl) ?? new EventStream(eventsUrl);
  }

  #receive(text: string): void {
    this.#attempt = 0;
    this.#hasSpoken = true;
    this.#heard();
    this.#setLive(true);
    const outcome = this.#options.onFrame(text);
    if (outcome) this.#reconnectIn(outcome.reconnectAfterMs + this.#random() * 1_000);
  }

  #closed(socket: Stream): void {
    if (socket !== this.#socket || this.#stopped) return;
    // What worked is tried again, what did not gives way to the other.
    if (!this.#hasSpoken) this.#useEvents = !this.#useEvents;
    this.#reconnectIn(backoffMs(this.#attempt, this.#random()));
    this.#attempt += 1;
  }

  /** Two tabs that each came back would throw each other out for ever. */
  #giveWay(socket: Stream): void {
    if (socket !== this.#socket || this.#stopped) return;
    this.#socket = null;
    this.#replaced = true;
    clearTimeout(this.#reconnectTimer);
    clearTimeout(this.#pollTimer);
    this.#options.onReplaced?.();
  }

  #reconnectIn(delayMs: number): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    clearTimeout(this.#reconnectTimer);
    this.#reconnectTimer = setTimeout(() => this.#connect(), delayMs);
  }

  #pollIn(delayMs: number): void {
    clearTimeout(this.#pollTimer);
    const bounded = Math.min(Math.max(delayMs, SHORTEST_POLL_MS), LONGEST_POLL_MS);
    this.#pollTimer = setTimeout(
      () => {
        if (this.#isStreaming()) this.#pollIn(DEFAULT_POLL_MS);
        else void this.#poll();
      },
      jitteredMs(bounded, this.#random()),
    );
  }

  async #poll(): Promise<void> {
    if (this.#polling || this.#stopped || this.#replaced) return;
    this.#polling = true;
    const outcome = await this.#options.poll();
    this.#polling = false;
    if (this.#stopped || this.#replaced) return;
    if (outcome.answered) {
      this.#heard();
      if (this.#attempt >= ATTEMPTS_BEFORE_ASKING) this.#setLive(false);
    } else {
      this.#failedPolls += 1;
    }
    this.#pollIn(outcome.nextMs ?? this.#usualPollMs());
  }

  /** Failing polls become rarer, so that a server in trouble is not asked ever more. */
  #usualPollMs(): number {
    return Math.max(DEFAULT_POLL_MS, backoffMs(this.#failedPolls, this.#random()));
  }

  #heard(): void {
    this.#heardAtMs = Date.now();
    this.#failedPolls = 0;
    this.#setContact(true);
  }

  #check(): void {
    const silentMs = Date.now() - this.#heardAtMs;
    const socketSilentMs = Math.min(silentMs, Date.now() - this.#connectedAtMs);
    const { silenceMs } = this.#options;
    if (this.#socket && silenceMs !== null && socketSilentMs > silenceMs) {
      this.#closed(this.#socket);
    }
    const isCutOff = !this.#isStreaming() && this.#failedPolls > 0;
    if (isCutOff && silentMs > LOST_AFTER_MS) this.#setContact(false);
  }

  #isStreaming(): boolean {
    return this.#socket?.readyState === 1;
  }

  #setLive(isLive: boolean): void {
    if (isLive === this.#isLive) return;
    this.#isLive = isLive;
    this.#options.onLive?.(isLive);
  }

  #setContact(inContact: boolean): void {
    if (inContact === this.#inContact) return;
    this.#inContact = inContact;
    this.#options.onContact(inContact);
  }
}

/** The address of a stream on this site. */
export function streamUrl(path: string): string {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** Starts a feed that also wakes with the page and with the network, and ends with the page. */
export function follow(options: FeedOptions): Feed {
  const feed = new Feed(options);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') feed.refresh();
  });
  window.addEventListener('online', () => feed.refresh());
  feed.start();
  return feed;
}
