// Which panel a place shows, what frames do to it, and what is announced.
import { describe, expect, it } from 'vitest';
import type { Phase, Place } from '../lib/api.ts';
import {
  announcement,
  applyFrame,
  canLeave,
  missedTheTurn,
  panelOf,
  progressOf,
  standsStill,
  titleOf,
} from './place.ts';

const PLACE: Place = {
  standing: 'waiting',
  phase: 'open',
  number: 12,
  ahead: 1_200,
  estimated_wait_seconds: { low: 60, high: 120 },
  rate_per_minute: 90,
  reason: null,
  message: null,
  opens_at: null,
  claim_by: null,
};
const CLAIM_BY = '2026-11-21T18:01:30Z';
const ADMITTED: Place = { ...PLACE, standing: 'admitted', claim_by: CLAIM_BY };

describe('panelOf', () => {
  it.each<[Phase, string]>([
    ['scheduled', 'gathering'],
    ['gathering', 'gathering'],
    ['drawing', 'drawing'],
    ['open', 'waiting'],
    ['paused', 'paused'],
    ['sold_out', 'sold_out'],
    ['closed', 'closed'],
  ])('shows a waiting fan in phase %s the panel %s', (phase, panel) => {
    expect(panelOf({ ...PLACE, phase })).toBe(panel);
  });

  it('shows the turn whatever the phase', () => {
    expect(panelOf({ ...ADMITTED, phase: 'paused' })).toBe('admitted');
    expect(panelOf({ ...PLACE, standing: 'inside', phase: 'sold_out' })).toBe('inside');
  });

  it('tells a fan without a place the end of a sale first', () => {
    expect(panelOf({ ...PLACE, standing: 'absent' })).toBe('absent');
    expect(panelOf({ ...PLACE, standing: 'absent', phase: 'closed' })).toBe('closed');
  });
});

describe('standsStill', () => {
  it('speaks only where nobody is let in and no wait can be told', () => {
    const still: Place = { ...PLACE, rate_per_minute: 0, estimated_wait_seconds: null };
    expect(standsStill(still)).toBe(true);
    expect(standsStill({ ...still, rate_per_minute: null })).toBe(false);
    expect(standsStill({ ...PLACE, rate_per_minute: 0 })).toBe(false);
    expect(standsStill({ ...still, phase: 'paused' })).toBe(false);
    expect(standsStill({ ...still, reason: 'paused' })).toBe(false);
  });
});

describe('canLeave', () => {
  it('ends with the sale', () => {
    expect(canLeave(PLACE)).toBe(true);
    expect(canLeave(ADMITTED)).toBe(true);
    expect(canLeave({ ...PLACE, phase: 'sold_out' })).toBe(false);
    expect(canLeave({ ...PLACE, standing: 'inside' })).toBe(false);
  });
});

describe('applyFrame', () => {
  it('changes only what a phase frame carries', () => {
    const paused = applyFrame(PLACE, { type: 'phase', phase: 'paused' });
    expect(paused).toEqual({ ...PLACE, phase: 'paused' });
  });

  it('gives the turn, and takes it back with the next place', () => {
    const turn = applyFrame(PLACE, { type: 'admitted', claim_by: CLAIM_BY });
    expect(turn).toEqual(ADMITTED);
    const { standing: _s, opens_at: _o, claim_by: _c, ...fields } = PLACE;
    const back = applyFrame(turn, { type: 'place', ...fields });
    expect(back).toEqual(PLACE);
    expect(missedTheTurn(turn, back)).toBe(true);
    expect(missedTheTurn(PLACE, back)).toBe(false);
  });
});

describe('announcement', () => {
  it('speaks at milestones only', () => {
    const at = (ahead: number): Place => ({ ...PLACE, ahead });
    expect(announcement(at(1_200), at(1_100))).toBeNull();
    expect(announcement(at(1_100), at(980))).toBe('980 people are ahead of you.');
    expect(announcement(at(980), at(970))).toBeNull();
    expect(announcement(at(3), at(0))).toBe('You are next.');
    expect(announcement(at(90), at(120))).toBeNull();
    const drawing = (ahead: number): Place => ({ ...at(ahead), phase: 'drawing' });
    expect(announcement(drawing(3), drawing(0))).toBeNull();
  });

  it('speaks of the turn, of phases, of messages and of the number', () => {
    expect(announcement(PLACE, ADMITTED)).toBe('It is your turn. Choose your tickets.');
    expect(announcement(PLACE, { ...PLACE, phase: 'paused' })).toMatch(/paused/);
    const told = { ...PLACE, message: 'Doors later' };
    expect(announcement(PLACE, told)).toBe('For everybody in line: Doors later');
    expect(announcement(told, told)).toBeNull();
    expect(announcement({ ...PLACE, number: null, ahead: null }, PLACE)).toMatch(/number is 12/);
  });
});

describe('an announcement of what is spoken for', () => {
  const spokenFor: Place = { ...PLACE, estimated_wait_seconds: null, reason: 'spoken_for' };

  it('is made once', () => {
    expect(announcement(PLACE, spokenFor)).toMatch(/may run out before it is your turn/);
    expect(announcement(spokenFor, { ...spokenFor, ahead: 1_100 })).toBeNull();
  });

  it('leaves the front of the line its milestones', () => {
    expect(announcement(spokenFor, { ...spokenFor, ahead: 0 })).toBe('You are next.');
    expect(announcement(PLACE, { ...spokenFor, ahead: 0 })).toBe('You are next.');
  });
});

describe('titleOf', () => {
  it('carries the position, then the turn', () => {
    expect(titleOf(PLACE, 'Night Music')).toBe('1,200 ahead · Night Music');
    expect(titleOf({ ...PLACE, ahead: 0 }, 'Night Music')).toBe('Next · Night Music');
    expect(titleOf({ ...PLACE, phase: 'paused' }, 'Night Music')).toBe('Paused · Night Music');
    expect(titleOf(ADMITTED, 'Night Music')).toBe('Your turn');
  });
});

describe('progressOf', () => {
  it('stays between nothing and all', () => {
    expect(progressOf(1_000, 250)).toBe(0.75);
    expect(progressOf(1_000, 1_100)).toBe(0);
    expect(progressOf(0, 0)).toBe(1);
  });
});
