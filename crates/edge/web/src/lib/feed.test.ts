// Keeping in touch: stream first, polling without it, an honest word without both.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Feed, type FeedOptions, type PollOutcome } from './feed.ts';

/** A socket that the test opens, feeds and breaks. */
class HandSocket extends EventTarget {
  readyState = 0;

  open(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }

  say(text: string): void {
    this.dispatchEvent(new MessageEvent('message', { data: text }));
  }

  close(code = 1_000): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }
}

function begin(options: Partial<FeedOptions> = {}) {
  const sockets: HandSocket[] = [];
  const frames: string[] = [];
  const contact: boolean[] = [];
  const poll = vi.fn(async (): Promise<PollOutcome> => ({ answered: true, nextMs: 2_000 }));
  const feed = new Feed({
    url: 'ws://here',
    onFrame: (text) => {
      frames.push(text);
      return undefined;
    },
    poll,
    onContact: (inContact) => contact.push(inContact),
    silenceMs: 30_000,
    random: () => 0.5,
    openSocket: () => {
      const socket = new HandSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    ...options,
  });
  feed.start();
  return { feed, sockets, frames, contact, poll };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('Feed', () => {
  it('does not poll while the stream is open', async () => {
    const { sockets, frames, poll } = begin();
    sockets[0]?.open();
    for (let second = 0; second < 60; second += 5) {
      sockets[0]?.say('tick');
      await vi.advanceTimersByTimeAsync(5_000);
    }
    expect(frames).toHaveLength(12);
    expect(poll).not.toHaveBeenCalled();
    expect(sockets).toHaveLength(1);
  });

  it('polls as the server asks while the stream is away, and tries the stream ever later', async () => {
    const { sockets, poll, contact } = begin();
    sockets[0]?.close();
    for (let second = 0; second < 60; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      sockets.at(-1)?.close();
    }
    expect(poll.mock.calls.length).toBeGreaterThan(20);
    expect(sockets.length).toBeGreaterThan(3);
    expect(sockets.length).toBeLessThan(10);
    expect(contact).toEqual([]);
  });

  it('says so when neither answers, and again when one does', async () => {
    let answered = false;
    const { sockets, contact } = begin({ poll: async () => ({ answered, nextMs: null }) });
    sockets[0]?.close();
    for (let second = 0; second < 20; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      sockets.at(-1)?.close();
    }
    expect(contact).toEqual([false]);
    answered = true;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(contact).toEqual([false, true]);
  });

  it('reconnects when the server is about to leave, without calling it lost contact', async () => {
    const { sockets, contact } = begin({ onFrame: () => ({ reconnectAfterMs: 4_000 }) });
    sockets[0]?.open();
    sockets[0]?.say('reconnect');
    expect(sockets[0]?.readyState).toBe(3);
    await vi.advanceTimersByTimeAsync(3_900);
    expect(sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sockets).toHaveLength(2);
    expect(contact).toEqual([]);
  });

  it('gives up a socket that is silent for too long', async () => {
    const { sockets } = begin();
    sockets[0]?.open();
    await vi.advanceTimersByTimeAsync(29_000);
    expect(sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sockets.length).toBeGreaterThan(1);
  });

  it('does nothing more once stopped', async () => {
    const { feed, sockets, poll } = begin();
    sockets[0]?.close();
    feed.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets).toHaveLength(1);
    expect(poll).not.toHaveBeenCalled();
  });
});

describe('Feed on a network that blocks streams', () => {
  it('turns to events where no socket opens, and says so when neither does', async () => {
    const events: HandSocket[] = [];
    const live: boolean[] = [];
    const { sockets, frames, poll } = begin({
      eventsUrl: '/events',
      onLive: (isLive) => live.push(isLive),
      openEvents: () => {
        const stream = new HandSocket();
        events.push(stream);
        return stream;
      },
    });
    sockets[0]?.close();
    await vi.advanceTimersByTimeAsync(3_000);
    events[0]?.open();
    events[0]?.say('by event');
    expect(frames).toEqual(['by event']);
    // What worked is tried again.
    events[0]?.close();
    await vi.advanceTimersByTimeAsync(3_000);
    expect([sockets.length, events.length]).toEqual([1, 2]);
    expect(live).toEqual([]);
    // Then neither works: each is tried in turn, and the page asks.
    for (let second = 0; second < 30; second += 1) {
      sockets.at(-1)?.close();
      events.at(-1)?.close();
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(sockets.length).toBeGreaterThan(1);
    expect(events.length).toBeGreaterThan(2);
    expect(poll).toHaveBeenCalled();
    expect(live).toEqual([false]);
    for (let second = 0; second < 60 && live.length < 2; second += 1) {
      sockets.at(-1)?.open();
      sockets.at(-1)?.say('back');
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(live).toEqual([false, true]);
  });
});

describe('A feed whose fan opens another', () => {
  it('gives way to a newer stream and comes back only when asked', async () => {
    const onReplaced = vi.fn();
    const { feed, sockets, poll } = begin({ onReplaced });
    sockets[0]?.open();
    sockets[0]?.close(4_001);
    feed.refresh();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(onReplaced).toHaveBeenCalledOnce();
    expect(sockets).toHaveLength(1);
    expect(poll).not.toHaveBeenCalled();
    feed.takeOver();
    sockets[1]?.open();
    sockets[1]?.close(1_006);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets.length).toBeGreaterThan(2);
    expect(poll).toHaveBeenCalled();
  });
});
