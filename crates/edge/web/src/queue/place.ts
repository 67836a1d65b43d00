// What a fan's place means: which panel it shows, how a frame changes it, and what is
// worth announcing. Pure, so that each case can be tested.
import type { Place, QueueFrame } from '../lib/api.ts';
import { aheadWords, countWords, reasonWords } from '../lib/wording.ts';

export type Panel =
  | 'gathering'
  | 'drawing'
  | 'waiting'
  | 'paused'
  | 'admitted'
  | 'inside'
  | 'sold_out'
  | 'closed'
  | 'absent';

/** The server decides the same in `Panel::of`, for the page before the script. */
export function panelOf(place: Place): Panel {
  if (place.standing === 'admitted' || place.standing === 'inside') return place.standing;
  if (place.phase === 'sold_out' || place.phase === 'closed') return place.phase;
  if (place.standing === 'absent') return 'absent';
  switch (place.phase) {
    case 'drawing':
    case 'paused':
      return place.phase;
    case 'open':
      return 'waiting';
    default:
      return 'gathering';
  }
}

/** The place after a frame. A `place` frame after the turn means that the turn was missed. */
export function applyFrame(place: Place, frame: QueueFrame): Place {
  switch (frame.type) {
    case 'place': {
      const { type: _, ...fields } = frame;
      return { ...place, ...fields, standing: 'waiting', claim_by: null };
    }
    case 'admitted':
      return { ...place, standing: 'admitted', claim_by: frame.claim_by };
    case 'phase': {
      const { type: _, ...fields } = frame;
      return { ...place, ...fields };
    }
    case 'reconnect':
      return place;
  }
}

/** In line, with nobody let in for a while, no wait to tell and nothing else to say of it. */
export function standsStill(place: Place): boolean {
  const isTold = place.estimated_wait_seconds !== null || place.reason !== null;
  return place.rate_per_minute === 0 && !isTold && panelOf(place) === 'waiting';
}

/** Nothing is left to wait for, to move or to give up once the sale is over. */
export function canLeave(place: Place): boolean {
  const panel = panelOf(place);
  return panel !== 'inside' && panel !== 'absent' && panel !== 'sold_out' && panel !== 'closed';
}

/** The fan was released, did not claim in time, and stands in line again. */
export function missedTheTurn(before: Place, after: Place): boolean {
  return before.standing === 'admitted' && after.standing === 'waiting';
}

/** What the window's title says: the position, then the turn. */
export function titleOf(place: Place, eventTitle: string): string {
  switch (panelOf(place)) {
    case 'admitted':
      return 'Your turn';
    case 'paused':
      return `Paused · ${eventTitle}`;
    case 'waiting':
      if (place.ahead === null) return eventTitle;
      return place.ahead === 0
        ? `Next · ${eventTitle}`
        : `${countWords(place.ahead)} ahead · ${eventTitle}`;
    default:
      return eventTitle;
  }
}

const MILESTONES = [1000, 500, 100, 50, 10, 0];

const ANNOUNCEMENTS: Record<Panel, string> = {
  gathering: 'You are in the waiting room.',
  drawing: 'The places are being drawn.',
  waiting: 'The line is moving. You are in line.',
  paused: 'The line is paused. Your place is kept.',
  admitted: 'It is your turn. Choose your tickets.',
  inside: 'You are in.',
  sold_out: 'Everything is sold.',
  closed: 'This sale has ended.',
  absent: 'You are not in this line.',
};

/** One sentence when something is worth interrupting for, otherwise null. */
export function announcement(before: Place, after: Place): string | null {
  if (panelOf(before) !== panelOf(after)) return ANNOUNCEMENTS[panelOf(after)];
  if (after.message !== null && after.message !== before.message) {
    return `For everybody in line: ${after.message}`;
  }
  const was = before.ahead ?? Number.POSITIVE_INFINITY;
  const { ahead } = after;
  if (ahead === null || panelOf(after) === 'drawing') return null;
  if (before.number === null && after.number !== null) {
    return `Your number is ${countWords(after.number)}. ${aheadWords(ahead)}.`;
  }
  const passed = MILESTONES.some((milestone) => was > milestone && ahead <= milestone);
  if (passed) return `${aheadWords(ahead)}.`;
  // Whoever cannot see the page must not count on a ticket either.
  const isUnsure = after.reason === 'spoken_for' && before.reason !== 'spoken_for';
  return isUnsure ? reasonWords('spoken_for') : null;
}

/** How far this fan has come since the page first knew, from 0 to 1. */
export function progressOf(firstAhead: number, ahead: number): number {
  return firstAhead <= 0 ? 1 : Math.min(1, Math.max(0, 1 - ahead / firstAhead));
}
