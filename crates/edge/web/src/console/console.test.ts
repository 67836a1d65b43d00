// Settings are read, checked and said back; history is bounded; phases lead somewhere.
import { describe, expect, it } from 'vitest';
import { type AdmissionSettings, PHASES, type SaleStatus } from '../lib/api.ts';
import { parseSaleStatus } from '../lib/parse.ts';
import { constantsOf, constantsWords } from './constants.ts';
import { History } from './history.ts';
import { stepsFrom } from './phases.ts';
import { settingsOf, settingsProblem, settingsWords } from './settings.ts';

function form(fields: Record<string, string>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  return data;
}

const PAUSED: AdmissionSettings = {
  mode: 'paused',
  rate_per_minute: null,
  min_rate_per_minute: null,
  max_rate_per_minute: null,
  max_inside: null,
};

describe('what automatic would do', () => {
  const told = (mode: string, clause: string) =>
    parseSaleStatus({ phase: 'open', mode, clause, decision: { auto: { rate_per_s: 2 } } })
      ?.auto_rate_per_minute;

  it('is shown where something else decides', () => {
    expect(told('auto', 'dry_run')).toBe(120);
    expect(told('manual', 'manual')).toBe(120);
    expect(told('auto', 'grow')).toBeNull();
  });
});

describe('constants', () => {
  it('are those whose field is filled', () => {
    const data = form({ brake_p99: '1.5', brake_redis_ms: ' ', claims_share: '0.4' });
    expect(constantsOf(data)).toEqual({ brake_p99: 1.5, claims_share: 0.4 });
    expect(constantsOf(form({ brake_p99: '' }))).toEqual({});
  });

  it('are said back as the server has them', () => {
    expect(constantsWords({ brake_p99: null })).toBe('All as usual.');
    expect(constantsWords({ brake_p99: 1.5, lost_after_s: null })).toBe('1 set: brake_p99.');
  });
});

describe('settings', () => {
  const settings = settingsOf(
    form({ mode: 'auto', min_rate_per_minute: '60', max_rate_per_minute: ' ', max_inside: '2000' }),
    PAUSED,
  );

  it('keep what the form does not show', () => {
    const known = { ...PAUSED, dry_run: true, target_p99_ms: 250 };
    const applied = settingsOf(form({ mode: 'paused' }), known);
    expect(applied).toEqual(known);
  });

  it('take a dry run from its box, in automatic', () => {
    const wet = settingsOf(form({ mode: 'auto' }), { ...PAUSED, dry_run: true });
    expect(wet.dry_run).toBe(false);
    const dry = settingsOf(form({ mode: 'auto', dry_run: 'on' }), PAUSED);
    expect(settingsWords(dry)).toMatch(/^Dry run/);
  });

  it('read an empty field as no limit', () => {
    expect(settings).toEqual({
      mode: 'auto',
      dry_run: false,
      rate_per_minute: null,
      min_rate_per_minute: 60,
      max_rate_per_minute: null,
      max_inside: 2_000,
    });
  });

  it('are said back in words', () => {
    expect(settingsWords(settings)).toBe(
      'Automatic, at least 60 per minute, at most 2,000 inside.',
    );
    const manual = { ...settings, mode: 'manual' as const, rate_per_minute: 0.5, max_inside: null };
    expect(settingsWords(manual)).toBe('Manual, 0.5 per minute.');
    expect(settingsWords({ ...settings, mode: 'paused' })).toBe('Paused: nobody is let in.');
  });

  it('are refused when they cannot be meant', () => {
    expect(settingsProblem(settings)).toBeNull();
    expect(settingsProblem({ ...settings, max_rate_per_minute: 10 })).toMatch(/above/);
    expect(settingsProblem({ ...settings, mode: 'manual' })).toMatch(/per minute/);
  });
});

describe('History', () => {
  const status = { waiting: 1, inside: 2, rate_per_minute: 3 } as SaleStatus;

  it('keeps ten minutes', () => {
    const history = new History();
    for (let second = 0; second < 2_000; second += 1) history.add(second, status);
    const [at, waiting] = history.columns;
    expect(at[0]).toBe(1_999 - 600);
    expect(at).toHaveLength(601);
    expect(waiting).toHaveLength(601);
  });

  it('is bounded also when frames come faster', () => {
    const history = new History();
    for (let tick = 0; tick < 5_000; tick += 1) history.add(tick / 10, status);
    expect(history.columns.map((column) => column.length)).toEqual([1_200, 1_200, 1_200, 1_200]);
  });
});

describe('phases', () => {
  it('never offer to stay, and ask before ending a sale', () => {
    for (const phase of PHASES) {
      for (const step of stepsFrom(phase)) {
        expect(step.to).not.toBe(phase);
        if (step.to === 'closed' || step.to === 'sold_out') expect(step.question).not.toBeNull();
      }
    }
  });
});
