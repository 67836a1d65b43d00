// Whoever walks through the pages: a visitor with cookies of their own and a phone's
// screen, and what is expected of each page they come to.
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';

export const PATIENCE_MS = 40_000;
const PHONE = { width: 390, height: 844 };

/** `USHER_PICTURES=dir` keeps a picture of each page, to be looked at. */
const PICTURES = process.env.USHER_PICTURES;

/** Whatever breaks in the page is one of the problems. */
export async function visitor(browser: Browser): Promise<{ page: Page; problems: string[] }> {
  const context = await browser.newContext({ viewport: PHONE });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security|Refused/.test(message.text())) {
      problems.push(message.text());
    }
  });
  return { page, problems };
}

export async function expectAccessible(page: Page, name: string): Promise<void> {
  if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map((violation) => `${violation.id}: ${violation.help}`)).toEqual([]);
}
