// SPDX-License-Identifier: Apache-2.0
/**
 * ui/demo: a room with three people in it, two in Chromium and one in Firefox,
 * who meet through each kind of server.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { findProgram } from './clients/client.mjs';
import { live, servePages } from './client_harness.mjs';
import { makeScratch } from './process.mjs';
import { iwa } from './servers/iwa.mjs';
import { native } from './servers/native.mjs';
import { ROOT, startServer } from './servers/server.mjs';
import { step, until } from './step.mjs';

/** @typedef {import('playwright-core').Page | import('puppeteer-core').Page} Page */

const scratch = makeScratch('room');
/** @type {import('./client_harness.mjs').Pages} */
let pages;
/** @type {import('playwright-core').Browser} */
let first;
/** @type {import('puppeteer-core').Browser} */
let second;

/** What the pages complain of. @type {string[]} */
const complaints = [];

before(async () => {
  pages = await servePages();
  first = await chromium.launch({
    executablePath: findProgram(process.env.CHROMIUM, ['chromium', 'chromium-browser']),
    env: scratch.env, args: ['--no-sandbox', '--webtransport-developer-mode'],
  });
  const profile = join(scratch.folder, 'firefox');
  mkdirSync(profile);
  second = await step('launching Firefox', puppeteer.launch({
    browser: 'firefox', executablePath: findProgram(process.env.FIREFOX, ['firefox-esr', 'firefox']),
    headless: true, userDataDir: profile, env: scratch.env,
  }), 60_000);
}, { timeout: 90_000 });

after(async () => {
  await first?.close();
  await second?.close();
  await scratch.gone('the browsers left nothing behind');
  scratch.remove();
  pages.close();
});

/**
 * @param {Page} page
 * @param {string} selector
 * @returns {Promise<string>}  what it shows
 */
const textOf = (page, selector) => /** @type {any} */ (page).evaluate(
  (/** @type {string} */ it) => document.querySelector(it)?.textContent ?? '', selector);

/**
 * @param {Page} page
 * @param {string} selector
 * @param {RegExp} pattern
 */
const shows = (page, selector, pattern) => until(`${selector} shows ${pattern}`, async () =>
  pattern.test(await textOf(page, selector)), 20_000);

/** @param {Page} page */
const log = (page) => /** @type {Promise<string[]>} */ (/** @type {any} */ (page).evaluate(
  () => Array.from(document.querySelectorAll('#log p'), (it) => it.textContent)));

/**
 * Where |page| sees the pointer of |name|, in percent.
 * @param {Page} page
 * @param {string} name
 * @returns {Promise<number[] | undefined>}
 */
const pointer = (page, name) => /** @type {any} */ (page).evaluate((/** @type {string} */ it) => {
  const found = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('.pointer')]).find((one) => one.textContent === it);
  return found && ['--x', '--y'].map((one) => Math.round(Number(found.style.getPropertyValue(one))));
}, name);

/**
 * By the keyboard alone: the address has link and room, and asks for a name.
 * @param {Page} page
 * @param {string} name
 * @param {string} address
 */
async function enter(page, name, address) {
  await page.goto('about:blank');
  await page.goto(address);
  await until('the page is ready', () => /** @type {any} */ (page).evaluate(() => document.documentElement.dataset.ready));
  await page.keyboard.type(name);
  await page.keyboard.press('Enter');
}

/**
 * @param {Page} page
 * @param {string} text
 */
async function say(page, text) {
  await until('the field has the focus', () => /** @type {any} */ (page).evaluate(() => document.activeElement?.id === 'text'));
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
}

/** @param {() => Promise<Page>} make */
async function newPage(make) {
  const page = await make();
  /** @type {any} */ (page).on('console', (/** @type {any} */ message) => {
    if (message.type() === 'error' && !/WebTransport|establish a connection/.test(message.text())) complaints.push(message.text());
  });
  /** @type {any} */ (page).on('pageerror', (/** @type {any} */ error) => complaints.push(String(error)));
  return page;
}

/** @param {string} link */
const address = (link, room = 'tea & cake') =>
  `${pages.origin}/ui/demo/index.html#room=${encodeURIComponent(room)}&link=${encodeURIComponent(link)}`;

/**
 * @param {string} link
 * @param {() => Promise<unknown>} rotate
 */
async function meet(link, rotate) {
  const ada = await newPage(async () => (await first.newContext()).newPage());
  const ben = await newPage(async () => (await first.newContext()).newPage());
  const eve = await newPage(() => second.newPage());
  const all = /** @type {const} */ ([['Ada', ada], ['Ben', ben], ['Eve', eve]]);
  for (const [name, page] of all) {
    await enter(page, name, address(link));
    await shows(page, '#state', /^In “tea & cake”\.$/);
  }
  for (const [own, page] of all) {
    for (const [name] of all) await shows(page, '#people', new RegExp(`${name}${name === own ? ' \\(you\\)' : ''}`));
  }

  // Over streams: what one says the others hear once, and nobody else.
  for (const [name, page] of all) await say(page, `hello from ${name}`);
  for (const [, page] of all) {
    for (const [name] of all) await shows(page, '#log', new RegExp(`${name}: hello from ${name}`));
    const lines = (await log(page)).filter((it) => it.includes('hello from'));
    assert.equal(lines.length, 3, String(lines));
  }
  // What looks like markup is text.
  await say(ada, '<img src=x onerror=alert(1)> <b>no</b>');
  await shows(eve, '#log', /<img src=x onerror=alert\(1\)> <b>no<\/b>/);

  // Over datagrams: by the mouse, and by the keyboard.
  const box = await /** @type {any} */ (ben).evaluate(() => {
    const { left, top, width, height } = /** @type {Element} */ (document.getElementById('board')).getBoundingClientRect();
    return { left, top, width, height };
  });
  await ben.mouse.move(box.left + box.width * 0.25, box.top + box.height * 0.75);
  for (const page of [ben, ada, eve]) {
    await until('Ben’s pointer is there', async () => String(await pointer(page, 'Ben')) === '25,75');
  }
  await /** @type {any} */ (eve).evaluate(() => document.getElementById('board')?.focus());
  await eve.keyboard.press('ArrowLeft');
  await eve.keyboard.press('ArrowUp');
  for (const page of [ada, ben]) {
    await until('Eve’s pointer is there', async () => String(await pointer(page, 'Eve')) === '48,48');
  }
  await shows(ada, '#people', /Ben +bottom left.*Eve +in the middle/s);

  // The certificate is swapped: nobody notices.
  await rotate();
  await /** @type {any} */ (ada).evaluate(() => document.getElementById('text')?.focus());
  await say(ada, 'still here');
  for (const page of [ben, eve]) await shows(page, '#log', /Ada: still here/);

  // One in another room hears nothing; who leaves is said to have gone.
  await ben.bringToFront();
  await /** @type {any} */ (ben).evaluate(() => document.getElementById('leave')?.click());
  await shows(ben, '#state', /^Not connected\.$/);
  for (const page of [ada, eve]) await shows(page, '#log', /Ben has gone\./);
  await enter(ben, 'Ben', address(link, 'another'));
  await shows(ben, '#state', /^In “another”\.$/);
  await say(ben, 'anybody?');
  await /** @type {any} */ (ada).evaluate(() => document.getElementById('text')?.focus());
  await say(ada, 'last');
  await shows(eve, '#log', /Ada: last/);
  assert.ok(!/anybody/.test(await textOf(eve, '#log')));
  assert.ok(!/last/.test(await textOf(ben, '#log')));
  return { ada, ben, eve };
}

describe('the room', { timeout: 300_000 }, () => {
  test('three people, and the native server', () => live({ kind: native }, async ({ link, rotate }) => {
    const { ada, ben, eve } = await meet(link, rotate);
    assert.deepEqual(complaints, []);
    for (const page of [ada, ben, eve]) await page.close();
  }));

  test('three people, and the Isolated Web App', async () => {
    const server = await startServer(iwa);
    try {
      const { ada, ben, eve } = await meet(server.ready.link, () => server.command({ command: 'rotate', force: true }));
      for (const page of [ada, ben, eve]) await page.close();
      assert.deepEqual(complaints, []);
      await server.stop();
    } finally {
      server.running.scratch.remove();
    }
  });

  test('what goes wrong is said, and can be mended', () => live({}, async ({ link }) => {
    const page = await newPage(async () => (await first.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })).newPage());
    await enter(page, 'Ada', address('https://example.org/'));
    await shows(page, '#trouble', /^This is not a whole Fortnight link/);
    assert.equal(await /** @type {any} */ (page).evaluate(() => document.activeElement?.id), 'link');
    await /** @type {import('playwright-core').Page} */ (page).keyboard.press('Control+A');
    await page.keyboard.type(link);
    await page.keyboard.press('Enter');
    await shows(page, '#state', /^In “tea & cake”\.$/);
    assert.equal(await textOf(page, '#trouble'), '');
    // The invitation leads here.
    await /** @type {any} */ (page).evaluate(() => document.getElementById('invite')?.click());
    await shows(page, '#log', /The invitation is in the clipboard/);
    const invitation = await /** @type {any} */ (page).evaluate(() => navigator.clipboard.readText());
    await enter(page, 'Bob', invitation);
    await shows(page, '#state', /^In “tea & cake”\.$/);
    await page.close();
  }));

  test('no violation found by axe, in light and dark', () => live({}, async ({ link }) => {
    const axe = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      // The page's own policy would not let axe in.
      const context = await first.newContext({ colorScheme, bypassCSP: true, viewport: { width: 1100, height: 760 } });
      const page = await context.newPage();
      const look = async (/** @type {string} */ name) => {
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
        assert.deepEqual(violations.map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ one) => one.html)}`), []);
        if (process.env.SCREENSHOTS) await page.screenshot({ path: join(process.env.SCREENSHOTS, `room-${name}-${colorScheme}.png`) });
      };
      await page.goto(`${pages.origin}/ui/demo/index.html`);
      await page.getByLabel('Link').fill('hello');
      await page.getByLabel('Your name').fill('Ada');
      await page.getByRole('button', { name: 'Enter' }).click();
      await page.getByRole('alert').waitFor();
      await look('door');
      await enter(page, 'Ada', address(link));
      await shows(page, '#state', /^In /);
      const other = await (await first.newContext()).newPage();
      await enter(other, 'Grace', address(link));
      await shows(page, '#people', /Grace/);
      await say(other, 'Good morning!');
      await shows(page, '#log', /Good morning/);
      await page.mouse.move(300, 300);
      await look('inside');
      await page.setViewportSize({ width: 390, height: 800 });
      await look('narrow');
      await context.close();
      await other.context().close();
    }
  }));
});
