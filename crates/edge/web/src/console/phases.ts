// Where an operator can take an event from its present phase, and what that means. The
// server decides what is allowed; this only offers what makes sense. Pure.
import type { Phase } from '../lib/api.ts';

export interface Step {
  to: Phase;
  label: string;
  /** Asked before a step that fans feel and that is not easily taken back. */
  question: string | null;
}

const PAUSE: Step = { to: 'paused', label: 'Pause the sale', question: null };
const OPEN: Step = { to: 'open', label: 'Open the sale', question: null };
const SOLD_OUT: Step = {
  to: 'sold_out',
  label: 'Mark as sold out',
  question: 'Tell everybody in line that everything is sold?',
};
const CLOSE: Step = {
  to: 'closed',
  label: 'End the sale',
  question: 'End the sale for good? Nobody else is let in.',
};

const STEPS: Record<Phase, Step[]> = {
  draft: [{ to: 'scheduled', label: 'Announce', question: null }],
  scheduled: [{ to: 'gathering', label: 'Open the waiting room', question: null }, CLOSE],
  gathering: [
    {
      to: 'drawing',
      label: 'Start the draw',
      question: 'Freeze the list and draw the places now?',
    },
    OPEN,
    CLOSE,
  ],
  drawing: [
    {
      to: 'open',
      label: 'Open without the draw',
      question: 'Give places in the order of arrival instead? This is marked publicly.',
    },
  ],
  open: [PAUSE, SOLD_OUT, CLOSE],
  paused: [{ ...OPEN, label: 'Go on' }, SOLD_OUT, CLOSE],
  sold_out: [{ ...OPEN, label: 'Open again' }, CLOSE],
  closed: [],
};

export function stepsFrom(phase: Phase): readonly Step[] {
  return STEPS[phase];
}

const LABELS: Record<Phase, string> = {
  draft: 'Draft',
  scheduled: 'Scheduled',
  gathering: 'Waiting room open',
  drawing: 'Drawing places',
  open: 'On sale',
  paused: 'Paused',
  sold_out: 'Sold out',
  closed: 'Ended',
};

export function phaseLabel(phase: Phase): string {
  return LABELS[phase];
}
