// Frames as agreed are read; anything else is dropped whole.
import { describe, expect, it } from 'vitest';
import { parsePlace, parseQueueFrame, parseSaleStatus, parseSeatFrame } from './parse.ts';

const PLACE = {
  type: 'place',
  phase: 'open',
  number: 12,
  ahead: 3,
  waiting: 99,
  estimated_wait_seconds: { low: 60, high: 120 },
  rate_per_minute: 600,
  message: 'Hello',
};
const frame = (value: unknown): string => JSON.stringify(value);

describe('queue frames', () => {
  it('reads a place and leaves out what pages do not use', () => {
    expect(parseQueueFrame(frame(PLACE))).toEqual({
      type: 'place',
      phase: 'open',
      number: 12,
      ahead: 3,
      estimated_wait_seconds: { low: 60, high: 120 },
      rate_per_minute: 600,
      reason: null,
      message: 'Hello',
    });
  });

  it('treats missing, negative and malformed figures as unknown', () => {
    const odd = {
      ...PLACE,
      number: -1,
      ahead: '3',
      estimated_wait_seconds: { low: 1 },
      message: 7,
    };
    expect(parseQueueFrame(frame(odd))).toMatchObject({
      number: null,
      ahead: null,
      estimated_wait_seconds: null,
      message: null,
    });
  });

  it('reads the turn, a phase and the wish to reconnect', () => {
    const claim_by = '2026-11-21T18:01:30Z';
    expect(parseQueueFrame(frame({ type: 'admitted', claim_by }))).toEqual({
      type: 'admitted',
      claim_by,
    });
    expect(parseQueueFrame(frame({ type: 'phase', phase: 'paused' }))).toEqual({
      type: 'phase',
      phase: 'paused',
    });
    expect(parseQueueFrame(frame({ type: 'reconnect', after_ms: 1e12 }))).toEqual({
      type: 'reconnect',
      after_ms: 600_000,
    });
  });

  it.each([
    'not json',
    'null',
    '[]',
    '{}',
    frame({ ...PLACE, phase: 'bogus' }),
    frame({ type: 'admitted' }),
    frame({ type: 'admitted', claim_by: 'soon' }),
    frame({ type: 'reconnect', after_ms: -5 }),
    frame({ type: 'other', phase: 'open' }),
  ])('drops %s', (text) => {
    expect(parseQueueFrame(text)).toBeNull();
  });
});

describe('a polled place', () => {
  it('means the turn when it carries a deadline to claim', () => {
    const claim_by = '2026-11-21T18:01:30Z';
    expect(parsePlace({ phase: 'open', claim_by })?.standing).toBe('admitted');
    expect(parsePlace({ phase: 'open' })?.standing).toBe('waiting');
    expect(parsePlace({ phase: 'open', standing: 'inside' })?.standing).toBe('inside');
  });

  it('is refused when it says admitted without a deadline', () => {
    expect(parsePlace({ phase: 'open', standing: 'admitted' })).toBeNull();
    expect(parsePlace('open')).toBeNull();
  });
});

describe('seat frames', () => {
  it('reads changes', () => {
    const changes = [['a1', 'held']];
    expect(parseSeatFrame(frame({ type: 'seats', at: 'x', changes }))).toEqual({
      type: 'seats',
      changes,
    });
  });

  it.each([[['a1', 'gone']], [['a1']], [[7, 'held']], ['a1']])('drops %j', (change) => {
    expect(parseSeatFrame(frame({ type: 'seats', changes: [change] }))).toBeNull();
  });
});

describe('the status of a sale', () => {
  it('reads what is there and counts the rest as none', () => {
    const status = parseSaleStatus({ phase: 'open', waiting: 5, rate_per_minute: 0.5, reason: '' });
    expect(status).toMatchObject({ waiting: 5, inside: 0, rate_per_minute: 0.5, reason: null });
    expect(parseSaleStatus({ waiting: 5 })).toBeNull();
  });

  it('reads how true the waits were, or nothing of it', () => {
    const waits = { judged: 7, held_share: 0.86, median_error: 0.04 };
    expect(parseSaleStatus({ phase: 'open', waits })?.waits).toEqual(waits);
    expect(parseSaleStatus({ phase: 'open', waits: { judged: 7 } })?.waits).toBeNull();
    expect(parseSaleStatus({ phase: 'open' })?.waits).toBeNull();
  });
});
