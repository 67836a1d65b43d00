// The settings of admission: read from the form, and said back in words as the server
// confirmed them. Pure.
import type { AdmissionMode, AdmissionSettings } from '../lib/api.ts';
import { countWords } from '../lib/wording.ts';

const MODES: readonly AdmissionMode[] = ['auto', 'manual', 'paused'];

/**
 * The settings in a form's data; an empty field is no limit. What the form does not show,
 * such as a target set over the API, stays as the server last said it; so does a dry run
 * while another mode than automatic is chosen.
 */
export function settingsOf(data: FormData, known: AdmissionSettings): AdmissionSettings {
  const mode = MODES.find((each) => each === data.get('mode')) ?? 'paused';
  return {
    ...known,
    mode,
    dry_run: mode === 'auto' ? data.has('dry_run') : known.dry_run === true,
    rate_per_minute: figure(data, 'rate_per_minute'),
    min_rate_per_minute: figure(data, 'min_rate_per_minute'),
    max_rate_per_minute: figure(data, 'max_rate_per_minute'),
    max_inside: figure(data, 'max_inside'),
  };
}

/** Why these settings cannot be meant, or null. */
export function settingsProblem(settings: AdmissionSettings): string | null {
  const { mode, rate_per_minute, min_rate_per_minute: min, max_rate_per_minute: max } = settings;
  if (mode === 'manual' && rate_per_minute === null) return 'Say how many people per minute.';
  if (mode === 'auto' && min !== null && max !== null && min > max) {
    return 'The least per minute is above the most.';
  }
  return null;
}

/** `Automatic, 60 to 600 per minute, at most 2,000 inside.` */
export function settingsWords(settings: AdmissionSettings): string {
  const inside =
    settings.max_inside === null ? '' : `, at most ${countWords(settings.max_inside)} inside`;
  switch (settings.mode) {
    case 'paused':
      return 'Paused: nobody is let in.';
    case 'manual':
      return `Manual, ${rate(settings.rate_per_minute ?? 0)} per minute${inside}.`;
    case 'auto':
      return settings.dry_run
        ? 'Dry run: automatic is only shown, nobody is let in by it.'
        : `Automatic${range(settings)}${inside}.`;
  }
}

function range({ min_rate_per_minute: min, max_rate_per_minute: max }: AdmissionSettings): string {
  if (min !== null && max !== null) return `, ${rate(min)} to ${rate(max)} per minute`;
  if (min !== null) return `, at least ${rate(min)} per minute`;
  return max === null ? '' : `, at most ${rate(max)} per minute`;
}

/** Rates may be slow: `0.5`. */
export function rate(perMinute: number): string {
  return perMinute.toLocaleString('en', { maximumFractionDigits: perMinute < 10 ? 1 : 0 });
}

function figure(data: FormData, name: string): number | null {
  const text = String(data.get(name) ?? '').trim();
  const value = Number(text);
  return text === '' || !Number.isFinite(value) || value < 0 ? null : value;
}
