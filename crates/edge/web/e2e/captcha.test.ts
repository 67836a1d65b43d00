// The check whether a visitor is a person, in a real browser: a second usher over the demo's
// servers, whose event asks for it, with a stand-in for the provider's widget and verdict.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from './browser.ts';
import { BINARY, Demo, within } from './demo.ts';
import { expectAccessible, PATIENCE_MS, visitor } from './visitor.ts';

const READY_WITHIN_MS = 60_000;

/** Draws a button instead of a box; its token is good once. */
const WIDGET = `
  window.turnstile = {
    render(place, options) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'I am a person';
      button.addEventListener('click', () => options.callback(options.sitekey + '-' + Math.random()));
      place.append(button);
    },
  };
  window[new URL(document.currentScript.src).searchParams.get('onload')]();
`;

let demo: Demo;
let provider: Server;
let usher: ChildProcess;
let base: string;
let browser: Browser;

beforeAll(async () => {
  demo = await Demo.start();
  provider = await startProvider();
  const { port } = provider.address() as AddressInfo;
  const theirs = `http://127.0.0.1:${port}`;
  usher = spawn(BINARY, ['serve', '--role', 'all'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      USHER_LISTEN: '127.0.0.1:0',
      USHER_METRICS_LISTEN: '127.0.0.1:0',
      USHER_REDIS_URL: demo.ready.redis_url,
      USHER_DATABASE_URL: demo.ready.postgres_url,
      USHER_SIGNING_KEYS: demo.keysFile,
      USHER_ADMIN_API_KEY: demo.ready.api_key,
      USHER_LOG_FORMAT: 'json',
      USHER_DRAIN_SECONDS: '1',
      USHER_CAPTCHA_PROVIDER: 'turnstile',
      USHER_CAPTCHA_SITE_KEY: 'site-key',
      USHER_CAPTCHA_SECRET_KEY: 'secret-key',
      USHER_CAPTCHA_SCRIPT_URL: `${theirs}/api.js`,
      USHER_CAPTCHA_VERIFY_URL: `${theirs}/siteverify`,
    },
  });
  base = `http://${await within(READY_WITHIN_MS, 'usher was not ready', addressOf(usher))}`;
  await demo.operate('PUT', '/admission', { mode: 'paused' });
  browser = await openBrowser();
}, 180_000);

afterAll(async () => {
  await browser?.close();
  const ended = new Promise((resolve) => usher?.once('exit', resolve));
  usher?.kill('SIGTERM');
  await ended;
  provider?.close();
  await demo?.stop();
}, 90_000);

function startProvider(): Promise<Server> {
  const seen = new Set<string>();
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.setHeader('content-type', 'text/javascript');
      response.end(WIDGET);
      return;
    }
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      const form = new URLSearchParams(body);
      const token = form.get('response') ?? '';
      const success = form.get('secret') === 'secret-key' && !seen.has(token);
      seen.add(token);
      const codes = success ? [] : ['timeout-or-duplicate'];
      const answer = { success, hostname: '127.0.0.1', action: 'join', 'error-codes': codes };
      response.end(JSON.stringify(answer));
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** Reads the log to its end, so that the process never waits for a reader. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (!child.stderr) return reject(new Error('no log to read'));
    createInterface({ input: child.stderr }).on('line', (line) => {
      const told = JSON.parse(line) as { message?: string; address?: string };
      if (told.message === 'ready' && told.address) resolve(told.address);
    });
    child.once('exit', (code) => reject(new Error(`usher ended with ${code}`)));
  });
}

/** Of the usher that has a provider, as soon as it knows the event. */
async function askForCheck(): Promise<void> {
  const setUp = async (): Promise<number> => {
    const response = await fetch(`${base}/api/v1/admin/events/${demo.eventId}`, {
      method: 'PATCH',
      headers: {
        authorization: `Bearer ${demo.ready.api_key}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ line: { captcha: true } }),
    });
    return response.status;
  };
  const page = async (): Promise<string> =>
    (await fetch(`${base}/e/${demo.eventId}`).catch(() => null))?.text() ?? '';
  await expect.poll(setUp, { timeout: PATIENCE_MS }).toBe(200);
  await expect.poll(page, { timeout: PATIENCE_MS }).toContain('show that you are a person');
}

test('a visitor is told to pass the check, passes it by keyboard, and joins', async () => {
  await askForCheck();
  const { page, problems } = await visitor(browser);
  await page.goto(`${base}/e/${demo.eventId}`);
  const person = page.getByRole('button', { name: 'I am a person' });
  await person.waitFor();
  await page.getByRole('button', { name: /join/i }).first().click();
  await page.getByRole('alert').filter({ hasText: 'pass the check above first' }).waitFor();
  await expectAccessible(page, 'check');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /join/i }).first().click();
  await page.waitForURL(/\/queue$/);
  // Whoever has a place is not asked again.
  await page.goto(`${base}/e/${demo.eventId}`);
  await page.getByRole('link', { name: 'Back to your place' }).waitFor();
  expect(await page.getByText('show that you are a person').count()).toBe(0);
  expect(problems).toEqual([]);
}, 120_000);

test('a visitor whose network keeps the check out is told what to do', async () => {
  await askForCheck();
  const { page } = await visitor(browser);
  await page.route(/\/api\.js/, (route) => route.abort());
  await page.goto(`${base}/e/${demo.eventId}`);
  await page.getByText('The check could not be loaded').waitFor();
  await expectAccessible(page, 'check-blocked');
  await page.unroute(/\/api\.js/);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('button', { name: 'I am a person' }).waitFor();
}, 120_000);
