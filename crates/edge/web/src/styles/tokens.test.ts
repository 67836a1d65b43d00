// Text must be readable in light and dark: every pair that is used meets WCAG AA.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');
const [light = '', dark = ''] = css.split('@media (prefers-color-scheme: dark)');

const TEXT = 4.5;
const SHAPES = 3;
const PAIRS: [text: string, background: string, least: number][] = [
  ['ink', 'paper', TEXT],
  ['ink', 'surface', TEXT],
  ['ink', 'sunken', TEXT],
  ['ink', 'accent-soft', TEXT],
  ['ink', 'warn-soft', TEXT],
  ['quiet', 'paper', TEXT],
  ['quiet', 'surface', TEXT],
  ['quiet', 'sunken', TEXT],
  ['quiet', 'accent-soft', TEXT],
  ['accent', 'paper', TEXT],
  ['accent', 'surface', TEXT],
  ['accent-strong', 'surface', TEXT],
  ['accent-strong', 'accent-soft', TEXT],
  ['on-accent', 'accent', TEXT],
  ['on-accent', 'accent-strong', TEXT],
  ['warn', 'warn-soft', TEXT],
  ['danger', 'surface', TEXT],
  ['danger', 'danger-soft', TEXT],
  ['on-danger', 'danger', TEXT],
  ['paper', 'ink', TEXT],
  ['edge', 'surface', SHAPES],
  ['accent', 'sunken', SHAPES],
  ['series-waiting', 'surface', SHAPES],
  ['series-inside', 'surface', SHAPES],
  ['series-rate', 'surface', SHAPES],
];

function colour(theme: string, name: string): string {
  const found = new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(theme)?.[1];
  return found ?? expect.fail(`no colour --${name}`);
}

function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

describe.each([
  ['light', light],
  ['dark', dark],
])('the %s theme', (_, theme) => {
  it.each(PAIRS)('%s on %s has at least %s : 1', (text, background, least) => {
    expect(contrast(colour(theme, text), colour(theme, background))).toBeGreaterThanOrEqual(least);
  });
});
