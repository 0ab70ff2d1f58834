// SPDX-License-Identifier: Apache-2.0
/**
 * What the person sees of the Isolated Web App, looked at from outside: the
 * clipboard is pasted, the QR code is read off a screenshot, the sentences are
 * those on the screen.  Screenshots stay in build/artifacts/app.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import jsqr from 'jsqr';
import { launchIwa } from '../../scripts/launch-iwa.mjs';
import { stageIwa } from '../../scripts/stage-iwa.mjs';
import { FORMS, hexToBase64 } from '../../ui/app/formats.js';

/**
 * @typedef {import('playwright-core').Page} Page
 * @typedef {import('../../ui/server/types.d.ts').Status} Status
 */

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const ARTIFACTS = fileURLToPath(new URL('../../build/artifacts/app/', import.meta.url));

const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));

/** @param {Page} page @returns {Promise<Status>} */
const status = (page) => page.evaluate(() => /** @type {any} */ (globalThis).fortnight.status());

/** @param {Page} page */
const ready = (page) => page.waitForFunction(() => 'fortnight' in globalThis);

/** @param {Page} page */
const serving = (page) => page.waitForFunction(() => document.getElementById('state')?.dataset.state === 'serving');

/** @param {Page} page */
async function stop(page) {
  await page.evaluate(() => /** @type {any} */ (globalThis).fortnight.stop());
  await page.waitForFunction(() => document.getElementById('state')?.dataset.state === 'stopped');
}

/** @param {Page} page */
const pressStart = (page) => page.getByRole('button', { name: 'Start', exact: true }).click();

/**
 * What is in the clipboard, by pasting it: the app may not read it.
 * @param {Page} page
 */
async function pasted(page) {
  await page.evaluate(() => {
    const area = document.createElement('textarea');
    area.id = 'paste-here';
    document.body.append(area);
    area.focus();
  });
  await page.keyboard.press('ControlOrMeta+V');
  return page.evaluate(() => {
    const area = /** @type {HTMLTextAreaElement} */ (document.getElementById('paste-here'));
    area.remove();
    return area.value;
  });
}

/**
 * Reads the QR code off a picture of an element.  A picture that it cannot be
 * read off stays in build/artifacts/app.
 * @param {Page} page
 * @param {import('playwright-core').Locator} element
 */
async function readCode(page, element) {
  const picture = await element.screenshot();
  const { width, height, pixels } = await page.evaluate(async (png) => {
    const octets = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([octets], { type: 'image/png' }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context?.drawImage(bitmap, 0, 0);
    const { data } = /** @type {ImageData} */ (context?.getImageData(0, 0, bitmap.width, bitmap.height));
    let text = '';
    for (let i = 0; i < data.length; i += 1 << 14) text += String.fromCharCode(...data.subarray(i, i + (1 << 14)));
    return { width: bitmap.width, height: bitmap.height, pixels: btoa(text) };
  }, picture.toString('base64'));
  const decode = /** @type {typeof import('jsqr').default} */ (/** @type {any} */ (jsqr).default ?? jsqr);
  const code = decode(new Uint8ClampedArray(Buffer.from(pixels, 'base64')), width, height);
  if (!code) writeFileSync(join(ARTIFACTS, 'unread-code.png'), picture);
  return code?.data;
}

/**
 * @param {Page} page
 * @returns {Promise<string[]>} what axe-core finds wrong
 */
async function violations(page) {
  // Not as a script of the page: its policy allows none but its own.
  if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ['violations'] });
    return violations.map((/** @type {any} */ { id, nodes }) =>
      `${id}: ${nodes.map((/** @type {any} */ node) => node.target.join(' ')).join(', ')}`);
  });
}

/**
 * In both colours: keeps a picture of the page, and has it checked.
 * @param {Page} page
 * @param {string} name
 */
async function look(page, name) {
  mkdirSync(ARTIFACTS, { recursive: true });
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(ARTIFACTS, `${name}-${colorScheme}.png`), fullPage: true });
    assert.deepEqual(await violations(page), [], `${name}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}

/**
 * What the dialog is in the moment that it opens, not a frame later.
 * @param {Page} page
 * @param {'export'|'import'} does
 */
const openBackup = (page, does) => page.evaluate((does) => {
  document.getElementById(does)?.click();
  return {
    does: document.getElementById('backup-does')?.textContent ?? '',
    focus: document.activeElement?.id,
    ready: !/** @type {HTMLButtonElement} */ (document.getElementById('backup-go')).disabled,
  };
}, does);

/** Runs in the page: a client of its own server, which stays. */
async function connect() {
  const link = new URL(document.getElementById('link')?.textContent ?? '');
  const hashes = (new URLSearchParams(link.hash.slice(1)).get('wt') ?? '').split('.');
  link.hash = '';
  const transport = new /** @type {any} */ (globalThis).WebTransport(link.href, {
    serverCertificateHashes: hashes.map((hash) => ({ algorithm: 'sha-256',
      value: Uint8Array.from(atob(hash.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)) })),
  });
  await transport.ready;
  const { writable, readable } = await transport.createBidirectionalStream();
  const writer = writable.getWriter();
  await writer.write(new Uint8Array(100_000));
  await writer.close();
  const { byteLength } = await new Response(readable).arrayBuffer();
  Object.assign(globalThis, { transport });
  return byteLength;
}

test('what the person sees', { timeout: 110_000 }, async (t) => {
  const { folder } = stageIwa({ out: join(scratch, 'app') });
  const app = await launchIwa({ folder, headless: true, args: ['--window-size=1280,900'] });
  t.after(() => app.close());
  const { page } = app;
  page.setDefaultTimeout(15_000);
  const cdp = await app.context.browser()?.newBrowserCDPSession();
  /**
   * @param {'granted'|'denied'|'prompt'} setting
   * @param {string[]} [names]
   */
  const permit = async (setting, names = ['local-network', 'loopback-network']) => {
    for (const name of names) {
      await cdp?.send('Browser.setPermission', { origin: app.origin, permission: { name }, setting });
    }
  };
  /** @type {string[]} */
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));

  await t.test('before Start', () => look(page, 'stopped'));

  await t.test('by keyboard alone: the first stop is Start', async () => {
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'toggle');
    const stops = [];
    for (let i = 0; i < 7; i++) {
      await page.keyboard.press('Tab');
      stops.push(await page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName));
    }
    assert.deepEqual(stops.map(String), ['address', 'port', 'hosts', 'SUMMARY', 'log-filter', 'log-level', 'log-scroll']);
  });

  await t.test('Start: the address, the link, and a client', async () => {
    await page.getByLabel('Port', { exact: true }).fill('0');
    await page.keyboard.press('Enter');
    await serving(page);
    const { url, link } = await status(page);
    assert.equal(await page.locator('#url').textContent(), url);
    assert.equal(await page.locator('#link').textContent(), link);
    assert.equal(await page.evaluate(connect), 100_000);
    const row = page.locator('#sessions tr');
    await row.getByText('/echo', { exact: true }).waitFor();
    await row.getByText(app.origin, { exact: true }).waitFor();
    await page.locator('#sessions-count', { hasText: '1' }).waitFor();
    await row.getByText(/^\d+ kB$/).first().waitFor();
    await row.getByText(/^[\d.]+ ms$/).waitFor();
    // 100,000 octets in a second or two.
    await page.locator('#rate-in', { hasText: /kB\/s/ }).waitFor();
    assert.equal(await page.locator('fn-plot canvas').count(), 2);
  });

  await t.test('each form is copied as it is shown', async () => {
    const published = await status(page);
    for (const [form, { label, what, of }] of Object.entries(FORMS)) {
      await page.getByRole('button', { name: `${label}: copy ${what}`, exact: true }).click();
      await page.locator('#copied', { hasText: `Copied ${what}` }).waitFor({ state: 'attached' });
      assert.equal(await page.locator('#preview').textContent(), of(published), form);
      assert.equal(await pasted(page), of(published), form);
    }
    for (const [name, text] of [['Copy the link', published.link], ['Copy the address', published.url],
      ['Copy the identity’s thumbprint', published.identity],
      ['Hex: copy the active hash in hexadecimal', published.hashes[0].hex],
      ['Base64: copy the standby hash in base64', hexToBase64(published.hashes[1].hex)]]) {
      await page.getByRole('button', { name: String(name), exact: true }).click();
      // Its own words, while it says that it has.
      await page.getByRole('button', { name: String(name).replace(/^.*copy /i, 'Copied '), exact: true }).waitFor();
      assert.equal(await pasted(page), text, String(name));
    }
  });

  await t.test('the QR code is the link, small and large', async () => {
    const { link } = await status(page);
    assert.equal(await readCode(page, page.locator('#qr')), link);
    await page.locator('#qr').click();
    const dialog = page.getByRole('dialog', { name: 'Scan to get the link' });
    assert.equal(await readCode(page, dialog), link);
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
  });

  await t.test('the timeline: two certificates, four parts each, now and the swap', async () => {
    await page.locator('#timeline rect').first().waitFor();
    for (const use of ['active', 'standby']) {
      const parts = await page.locator(`#timeline rect[data-use=${use}]`).evaluateAll((rects) =>
        rects.map((rect) => rect.getAttribute('class')));
      assert.deepEqual(parts, ['backdate', 'standby', 'active', 'guard'], use);
    }
    const x = (/** @type {string} */ selector) => page.locator(selector).evaluate((line) =>
      parseFloat(line.getAttribute('x1') ?? line.getAttribute('x') ?? ''));
    // The standby takes over where the active one gives way, and that is later.
    assert.equal(await x('#timeline line.swap'), await x('#timeline rect.active[data-use=standby]'));
    assert.ok(await x('#timeline line.swap') > await x('#timeline line.now'));
    assert.match(await page.locator('#timeline').getAttribute('aria-label') ?? '',
      /^The active certificate is valid from .+\. The standby certificate is valid from /);
  });

  await t.test('serving', async () => {
    await look(page, 'serving');
  });

  await t.test('in a narrow window nothing is cut off', async () => {
    const session = await app.context.newCDPSession(page);
    await session.send('Emulation.setDeviceMetricsOverride',
      { width: 360, height: 780, deviceScaleFactor: 1, mobile: false });
    await page.waitForFunction(() => innerWidth === 360);
    await page.screenshot({ path: join(ARTIFACTS, 'narrow.png'), fullPage: true });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 360, `${width} of 360`);
    const wide = await page.locator('button:visible').evaluateAll((buttons) =>
      buttons.filter((button) => button.scrollWidth > button.clientWidth).map(({ textContent }) => textContent));
    assert.deepEqual(wide, []);
    assert.deepEqual(await violations(page), []);
    await session.send('Emulation.clearDeviceMetricsOverride');
    await session.detach();
  });

  await t.test('the log is filtered, and exported as it is filtered', async () => {
    const lines = page.locator('#log li');
    const all = await lines.count();
    await page.getByLabel('Show lines that contain').fill('session 1 OPENED');
    await page.waitForFunction(() => document.querySelectorAll('#log li').length === 1);
    const [download] = await Promise.all([
      page.waitForEvent('download'), page.locator('#log-export').click()]);
    assert.equal(download.suggestedFilename(), 'fortnight-log.txt');
    assert.match(readFileSync(await download.path(), 'utf8'), /^\d{4}-\d\d-\d\dT\S+Z\tinfo\tSession 1 opened by [^\n]+\n$/);
    await page.getByLabel('Show lines that contain').fill('');
    await page.getByLabel('Show lines of level').selectOption('error');
    await page.getByText('No line passes the filter.').waitFor();
    await page.getByLabel('Show lines of level').selectOption('all');
    await page.waitForFunction((n) => document.querySelectorAll('#log li').length >= n, all);
  });

  await t.test('Revoke says how many it hits, and closes them', async () => {
    const [active] = (await status(page)).hashes;
    await page.getByRole('button', { name: 'Revoke…' }).click();
    await page.getByText('There is 1 session now.').waitFor();
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Revoke it' }).click();
    await page.evaluate(() => /** @type {any} */ (globalThis).transport.closed.catch(() => {}));
    await page.getByText('Nobody is connected.').waitFor();
    assert.ok(!(await status(page)).hashes.some(({ hex }) => hex === active.hex));
    // The code goes with the link.
    const { link } = await status(page);
    await page.waitForFunction((link) => document.getElementById('link')?.textContent === link, link);
    assert.equal(await readCode(page, page.locator('#qr')), link);
  });

  await t.test('the identity: to a file, and back from it', async () => {
    const { identity } = await status(page);
    const proposed = await openBackup(page, 'export');
    assert.deepEqual(proposed, { does: 'Export the identity', focus: 'backup-passphrase', ready: true });
    const dialog = page.getByRole('dialog', { name: proposed.does });
    const passphrase = await dialog.getByLabel('Passphrase').inputValue();
    assert.match(passphrase, /^[a-z0-9-]{23}$/);
    assert.deepEqual(await violations(page), []);
    const [download] = await Promise.all([
      page.waitForEvent('download'), dialog.getByRole('button', { name: 'Save the file' }).click()]);
    const file = join(scratch, download.suggestedFilename());
    await download.saveAs(file);
    await dialog.waitFor({ state: 'hidden' });
    assert.ok(!readFileSync(file, 'utf8').includes(passphrase));

    const asked = await openBackup(page, 'import');
    assert.deepEqual(asked, { does: 'Import an identity', focus: 'backup-file', ready: false });
    const back = page.getByRole('dialog', { name: asked.does });
    await back.getByLabel('File').setInputFiles({ name: 'x.txt', mimeType: 'text/plain', buffer: Buffer.from('no') });
    await back.getByText('This is no backup of a Fortnight identity.').waitFor();
    await back.getByLabel('File').setInputFiles(file);
    await back.getByText(`Identity ${identity.slice(0, 12)}…`).waitFor();
    await back.getByLabel('Passphrase').fill('something else');
    await back.getByRole('button', { name: 'Import it' }).click();
    await back.getByText('The passphrase is wrong.').waitFor();
    await back.getByLabel('Passphrase').fill(passphrase);
    await page.keyboard.press('Enter');
    await back.waitFor({ state: 'hidden' });
    await page.getByText('The identity was imported').waitFor();
    assert.equal((await status(page)).identity, identity);
    assert.equal(await page.locator('#backup-passphrase').inputValue(), '');
  });

  await t.test('Stop, and the settings are there again after a reload', async () => {
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByText('Not running').waitFor();
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('The link opens').fill('/room');
    await page.getByText('Room: what one client sends').waitFor();
    await page.getByLabel('Room', { exact: true }).uncheck();
    await page.getByText('Nothing is served there; there is /echo, /sink.').waitFor();
    await page.getByLabel('Origins that may connect').fill('https://example.org');
    await page.reload();
    await ready(page);
    await page.getByText('More', { exact: true }).click();
    assert.equal(await page.getByLabel('Port', { exact: true }).inputValue(), '0');
    assert.equal(await page.getByLabel('Origins that may connect').inputValue(), 'https://example.org');
    assert.equal(await page.getByLabel('Room', { exact: true }).isChecked(), false);
    await pressStart(page);
    await page.getByText('nothing is served on /room').waitFor();
    assert.match(String(await page.evaluate(connect).catch((/** @type {Error} */ error) => error.message)),
      /WebTransport/);
    await stop(page);
    await page.getByLabel('Room', { exact: true }).check();
    await pressStart(page);
    await page.locator('#url', { hasText: /\/room$/ }).waitFor();
    // This page is not of that origin.
    assert.match(String(await page.evaluate(connect).catch((/** @type {Error} */ error) => error.message)),
      /WebTransport/);
    // Refused as it was asked to be; Chromium says so on the console.
    complaints.splice(0);
    await stop(page);
    await page.getByLabel('The link opens').fill('');
    await page.getByLabel('Origins that may connect').fill('');
  });

  await t.test('a field that will not do has the focus, and says why', async () => {
    await page.getByLabel('Port', { exact: true }).fill('80');
    await pressStart(page);
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'port');
    assert.equal(await page.locator('#port').getAttribute('aria-invalid'), 'true');
    assert.equal(await page.locator('#port-hint').textContent(), '1024 to 65535, or 0.');
  });

  await t.test('a port that is taken has a screen, and a way out', async (t) => {
    const other = createSocket('udp4');
    t.after(() => other.close());
    await new Promise((resolve) => { other.bind(0, '127.0.0.1', () => resolve(undefined)); });
    const { port } = other.address();
    await page.getByLabel('Port', { exact: true }).fill(String(port));
    await pressStart(page);
    await page.getByRole('alert', { name: `Port ${port} is taken by another program` }).waitFor();
    assert.equal(await page.getByLabel('Port', { exact: true }).getAttribute('aria-invalid'), 'true');
    await look(page, 'port-busy');
    await page.getByRole('button', { name: 'Start on any free port' }).click();
    await serving(page);
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await stop(page);
  });

  await t.test('before Chromium asks, it is said what for; and what to do when it was denied', async () => {
    await permit('prompt');
    await page.reload();
    await ready(page);
    await page.evaluate(() => navigator.permissions.query(
      { name: /** @type {PermissionName} */ (/** @type {unknown} */ ('local-network')) }));
    await pressStart(page);
    await page.getByRole('alert', { name: 'Chromium will ask whether' }).waitFor();
    await look(page, 'permission-asked');
    await page.getByRole('button', { name: 'Not now' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await pressStart(page);
    // There is nobody to ask here, and so it is denied.
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('alert', { name: 'Chromium does not let this app use the network' }).waitFor();
    await page.getByText('Try again, and press “Allow” when Chromium asks').waitFor();
    await permit('denied', ['local-network']);
    await permit('granted', ['loopback-network']);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Allow the local network.').waitFor();
    await look(page, 'permission-denied');
    await permit('granted');
    await page.getByRole('button', { name: 'Try again' }).click();
    await serving(page);
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await stop(page);
  });

  await t.test('what may be deleted is told, once, with what to do', async () => {
    await permit('denied', ['persistent-storage']);
    await page.reload();
    await ready(page);
    await pressStart(page);
    await serving(page);
    const notice = page.getByRole('status', { name: 'Chromium may delete the identity' });
    await notice.waitFor();
    await look(page, 'storage');
    await notice.getByRole('button', { name: 'Export the identity…' }).click();
    await page.getByRole('dialog', { name: 'Export the identity' }).waitFor();
    await page.keyboard.press('Escape');
    await notice.getByRole('button', { name: 'Hide this' }).click();
    await notice.waitFor({ state: 'hidden' });
    await stop(page);
    await pressStart(page);
    await serving(page);
    assert.equal(await notice.count(), 0);
    await permit('granted', ['persistent-storage']);
  });

  await t.test('a clock that is wrong: said, and it goes on by itself once it is right', async () => {
    const worker = join(folder, 'server/worker.js');
    writeFileSync(worker, `
      const now = Date.now;
      let slow = 30 * 365 * 86400_000;
      new BroadcastChannel('clock').onmessage = () => { slow = 0; };
      Date.now = () => now() - slow;
      ${readFileSync(worker, 'utf8')}`);
    await page.reload();
    await ready(page);
    await page.evaluate(() => {
      /** @type {any} */ (globalThis).fortnight.start({ port: 0, ephemeral: true }).catch(() => {});
    });
    await page.getByRole('alert', { name: 'This computer’s clock is wrong' }).waitFor();
    await look(page, 'clock');
    await page.evaluate(() => new BroadcastChannel('clock').postMessage('right'));
    await serving(page);
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });

  assert.deepEqual(complaints, []);
});
