// A fan's whole way and an operator's controls, against the real usher with its own
// Redis and Postgres, in a real browser.
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBrowser } from './browser.ts';
import { Demo } from './demo.ts';
import { expectAccessible, PATIENCE_MS, visitor } from './visitor.ts';

let demo: Demo;
let browser: Browser;
/** Tickets that the first walk buys, for the walk to the door. */
let tickets: string[];

beforeAll(async () => {
  demo = await Demo.start();
  browser = await openBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  expect(await demo?.stop()).toBe(0);
}, 60_000);

type Look = (name: string) => Promise<void>;
const NO_LOOK: Look = async () => {};

/** From the turn to the tickets. */
async function buy(page: Page, name: string, look = NO_LOOK): Promise<void> {
  await page.getByRole('heading', { name: 'It is your turn' }).waitFor();
  expect(await page.title()).toBe('Your turn');
  await page.getByRole('button', { name: 'Choose your tickets' }).click();

  await page.waitForURL(/\/seats$/);
  await page.getByLabel('How many').waitFor();
  await look('seats');
  await page.getByLabel('How many').selectOption('2');
  await page.getByRole('button', { name: 'Best together' }).click();
  await page.waitForURL(/\/checkout\//);
  await look('checkout');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('E-mail').fill('ada@example.org');
  await page.getByRole('button', { name: /^Pay/ }).click();

  await page.waitForURL(/\/orders\//);
  await page.getByRole('heading', { name: 'You have your tickets' }).waitFor();
}

async function joinLine(page: Page): Promise<void> {
  await page.goto(`${demo.ready.base_url}/e/${demo.eventId}`);
  await page.getByRole('button', { name: /join/i }).click();
  await page.waitForURL(/\/queue$/);
}

test('a fan joins, waits, is let in, chooses two seats, pays, and has tickets', async () => {
  await demo.operate('PUT', '/admission', { mode: 'paused' });
  const { page, problems } = await visitor(browser);
  await page.goto(demo.ready.base_url);
  await expectAccessible(page, 'events');
  await joinLine(page);
  await page.locator('[data-ref="ahead"]').waitFor();
  await expectAccessible(page, 'queue');

  await demo.operate('PUT', '/admission', { mode: 'manual', rate_per_minute: 600 });
  await buy(page, 'Ada Fan', (name) => expectAccessible(page, name));
  const codes = page.locator('img[src*="qr.svg"]');
  expect(await codes.count()).toBe(2);
  const drawn = await codes.first().evaluate((image: HTMLImageElement) => image.naturalWidth);
  expect(drawn).toBeGreaterThan(0);
  await expectAccessible(page, 'order');
  tickets = await page.locator('.ticket code').allInnerTexts();
  await page.getByText('I need no more tickets').click();
  await page.getByRole('button', { name: 'Let the next person in' }).click();
  await page.getByText('Your place inside goes to the next person').waitFor();
  expect(await page.getByText('I need no more tickets').isVisible()).toBe(false);
  expect(problems).toEqual([]);
}, 120_000);

test('a place survives a reload, and giving it up is the fan’s own choice', async () => {
  await demo.operate('PUT', '/admission', { mode: 'paused' });
  const { page, problems } = await visitor(browser);
  await joinLine(page);
  const number = () => page.locator('[data-ref="number"]').innerText();
  const before = await number();
  expect(before).toMatch(/\d/);
  await page.reload();
  expect(await number()).toBe(before);
  expect(problems).toEqual([]);
}, 120_000);

/** A network that swallows some of what the page opens. */
async function joinBehind(blocked: ('socket' | 'events')[], name: string): Promise<void> {
  await demo.operate('PUT', '/admission', { mode: 'paused' });
  const { page, problems } = await visitor(browser);
  if (blocked.includes('socket')) {
    await page.routeWebSocket(/\/queue\/stream/, (socket) => socket.close());
  }
  if (blocked.includes('events')) await page.route(/\/queue\/events$/, (route) => route.abort());
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await joinLine(page);
  const asking = page.getByText('This network blocks live updates');
  if (blocked.includes('events')) {
    await asking.waitFor();
    await expectAccessible(page, name);
  } else {
    await expect
      .poll(() => asked.some((path) => path.endsWith('/queue/events')), { timeout: PATIENCE_MS })
      .toBe(true);
  }
  await demo.operate('PUT', '/message', { message: `Hello ${name}` });
  await page.locator('[data-ref="message-text"]', { hasText: `Hello ${name}` }).waitFor();
  expect(await asking.isVisible()).toBe(blocked.includes('events'));
  expect(await page.getByText('We lost contact').isVisible()).toBe(false);
  await demo.operate('PUT', '/admission', { mode: 'manual', rate_per_minute: 600 });
  await page.getByRole('heading', { name: 'It is your turn' }).waitFor();
  expect(problems).toEqual([]);
}

test(
  'a page without WebSockets hears by events',
  () => joinBehind(['socket'], 'by-events'),
  120_000,
);

test(
  'a page without any stream asks, and says that the place is safe',
  () => joinBehind(['socket', 'events'], 'by-asking'),
  120_000,
);

test('a second tab takes over, and the first says so and takes it back', async () => {
  await demo.operate('PUT', '/admission', { mode: 'paused' });
  const { page, problems } = await visitor(browser);
  await joinLine(page);
  const elsewhere = (tab: Page) =>
    tab.getByText('This line is open in another tab', { exact: false }).first();
  const second = await page.context().newPage();
  await second.goto(page.url());
  await elsewhere(page).waitFor();
  await expectAccessible(page, 'queue-replaced');
  expect(await elsewhere(second).isVisible()).toBe(false);
  await page.getByRole('button', { name: 'Use here' }).click();
  await second.getByRole('button', { name: 'Use here' }).waitFor();
  expect(await page.getByRole('button', { name: 'Use here' }).isVisible()).toBe(false);
  await demo.operate('PUT', '/message', { message: 'Hello first tab' });
  await page.locator('[data-ref="message-text"]', { hasText: 'Hello first tab' }).waitFor();
  expect(problems).toEqual([]);
}, 120_000);

test('a place moves to another device, and the old one lets go', async () => {
  await demo.operate('PUT', '/admission', { mode: 'paused' });
  const old = await visitor(browser);
  await joinLine(old.page);
  const number = await old.page.locator('[data-ref="number"]').innerText();
  await old.page.getByRole('button', { name: 'Move my place' }).click();
  await old.page.getByRole('img', { name: /QR code/ }).waitFor();
  await expectAccessible(old.page, 'move');
  const link = await old.page.locator('code').textContent();
  await old.page.getByRole('link', { name: 'Back to your place' }).click();
  await old.page.locator('[data-ref="ahead"]').waitFor();

  const fresh = await visitor(browser);
  await fresh.page.goto(link ?? '');
  await expectAccessible(fresh.page, 'here');
  await fresh.page.getByRole('button', { name: 'Continue here' }).click();
  await fresh.page.waitForURL(/\/queue$/);
  expect(await fresh.page.locator('[data-ref="number"]').innerText()).toBe(number);
  await old.page.getByRole('heading', { name: 'You are not in this line' }).waitFor();
  expect([...old.problems, ...fresh.problems]).toEqual([]);
}, 120_000);

test('staff find the order of a ticket and let it in once', async () => {
  const [ticket = '', second = ''] = tickets;
  await demo.operate('PUT', '/admission', { mode: 'manual', rate_per_minute: 600 });
  const other = await visitor(browser);
  await joinLine(other.page);
  await buy(other.page, 'Ada Second');
  const { page, problems } = await visitor(browser);
  await page.goto(demo.ready.console_url);
  await page.getByLabel('API key').fill(demo.ready.api_key);
  await page.getByRole('button', { name: /sign in/i }).click();
  await page.getByRole('link', { name: 'Find an order' }).click();
  await page.getByLabel(/name or e-mail/).fill('ada@exam');
  await page.getByRole('button', { name: 'Find' }).click();
  // What was just ordered is found when the relay has entered it, a second or two later; alone, the first order opens.
  await expect
    .poll(
      async () => {
        await page.goto(`${demo.ready.console_url}/orders?q=ada%40exam`);
        return page.getByText('Ada Second').count();
      },
      { timeout: PATIENCE_MS },
    )
    .toBeGreaterThan(0);
  await expectAccessible(page, 'desk-orders');
  await page.getByRole('link', { name: 'Ada Fan' }).click();
  await page.getByText(ticket).waitFor();
  await expectAccessible(page, 'desk-order');
  const lanes = [{ lane: 'main' }, { lane: 'presale', needs_code: true }];
  await demo.operate('PATCH', '', { line: { lanes } });
  await page.goto(`${demo.ready.console_url}/e/${demo.eventId}/invites`);
  await page.getByLabel('How many codes').fill('3');
  await page.getByRole('button', { name: 'Make them' }).click();
  await page.getByText('3 codes for the lane presale').waitFor();
  await expectAccessible(page, 'invites');

  await page.getByRole('link', { name: 'Check-in' }).click();
  const answer = page.getByRole('alert');
  // As a scanner types: into whatever has the focus, and then Enter.
  const ticketField = page.getByLabel('Ticket', { exact: true });
  const isReady = () => ticketField.evaluate((field) => field === document.activeElement);
  const scan = async (code: string, said: string | RegExp) => {
    await expect.poll(isReady, { timeout: PATIENCE_MS }).toBe(true);
    await page.keyboard.type(code);
    await page.keyboard.press('Enter');
    await answer.getByText(said).waitFor();
  };
  await scan(ticket, 'Admitted');
  await page.getByText(/1 of \d+ checked in/).waitFor();
  await expectAccessible(page, 'door-admitted');
  const loseAnswer = async (route: Route) => {
    await route.fetch();
    await route.abort();
  };
  await page.route(/\/door$/, loseAnswer);
  await scan(second, 'No answer; it may be checked in');
  await page.unroute(/\/door$/, loseAnswer);
  await scan(second, 'Checked in here');
  await expectAccessible(page, 'door-just-now');
  const gate = page.getByLabel('Where you stand');
  await gate.focus();
  await page.keyboard.type(ticket);
  await page.keyboard.press('Enter');
  await answer.getByText('Not checked').waitFor();
  expect(await gate.inputValue()).toBe('Main door');
  await gate.fill('North');
  await gate.press('Enter');
  await scan(ticket, /Already used at \d\d:\d\d/);
  await expectAccessible(page, 'door-used');
  await scan('GIBBERISH', 'Unknown ticket');
  await page.setViewportSize({ width: 1280, height: 800 });
  await expectAccessible(page, 'door-unknown');
  expect(problems).toEqual([]);
}, 120_000);

test('an operator signs in, tries a dry run, sets a rate and makes a key', async () => {
  const { page, problems } = await visitor(browser);
  await page.goto(demo.ready.console_url);
  await page.getByLabel('API key').fill('not-the-key-but-long-enough');
  await page.getByRole('button', { name: /sign in/i }).click();
  await page.getByText('This is not an operator').waitFor();
  await page.getByLabel('API key').fill(demo.ready.api_key);
  await page.getByRole('button', { name: /sign in/i }).click();
  await page.goto(`${demo.ready.console_url}/e/${demo.eventId}`);
  await expect
    .poll(() => page.locator('[data-stat="seats_left"]').innerText(), { timeout: PATIENCE_MS })
    .toMatch(/\d/);
  await expectAccessible(page, 'console');
  await page.getByText('in the last hour', { exact: false }).waitFor();

  await page.getByRole('radio', { name: 'Automatic' }).check();
  for (const dryRun of [true, false]) {
    await page.getByRole('checkbox', { name: /Dry run/ }).setChecked(dryRun);
    await page.getByRole('button', { name: 'Apply' }).click();
    await expect
      .poll(() => demo.operate('GET', '/admission'), { timeout: PATIENCE_MS })
      .toMatchObject({ mode: 'auto', dry_run: dryRun });
  }

  await page.getByRole('radio', { name: 'Manual' }).check();
  await page.getByLabel('People per minute').fill('120');
  await page.getByRole('button', { name: 'Apply' }).click();
  await expect
    .poll(() => demo.operate('GET', '/admission'), { timeout: PATIENCE_MS })
    .toMatchObject({ mode: 'manual', rate_per_minute: 120 });

  await page.goto(`${demo.ready.console_url}/operators`);
  await page.getByLabel('For whom').fill('Grace at the door');
  await page.getByRole('radio', { name: /Staff/ }).check();
  await page.getByRole('button', { name: 'Make the key' }).click();
  await page.getByText('The key of Grace at the door.').waitFor();
  await expectAccessible(page, 'operators');
  await page.getByText('Take the key of Grace at the door back').click();
  await page.getByRole('button', { name: 'Take it back' }).click();
  await page.getByText('There is only the first key').waitFor();
  expect(problems).toEqual([]);
}, 120_000);
