// SPDX-License-Identifier: Apache-2.0
/** The Isolated Web App's page, as a person uses it: what it shows and asks. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { launchIwa } from '../../scripts/launch-iwa.mjs';
import { stageIwa } from '../../scripts/stage-iwa.mjs';

/** @typedef {import('playwright-core').Page} Page */

const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/**
 * @param {Page} page
 * @returns {Promise<import('../../ui/server/types.d.ts').Status>}
 */
const status = (page) => page.evaluate(() => /** @type {any} */ (globalThis).fortnight.status());

/** @param {Page} page */
const hashes = async (page) => (await status(page)).hashes.map(({ hex }) => hex);

/**
 * Waits until the page shows these.
 * @param {Page} page
 * @param {string[]} expected
 */
const shows = (page, [active, standby]) => page.waitForFunction(([active, standby]) =>
  document.getElementById('active')?.dataset.hex === active
  && document.getElementById('standby')?.dataset.hex === standby, [active, standby]);

/** @param {Page} page */
const hasFocus = (page) => page.evaluate(() => document.activeElement?.id);

/** @param {Page} page where things are on it, from top to bottom */
const layout = (page) => page.evaluate(() => Object.fromEntries(
  ['link', 'identity', 'health', 'active', 'standby', 'rotate', 'sessions-title', 'log-title'].map((id) =>
    [id, (document.getElementById(id)?.getBoundingClientRect().top ?? NaN) + scrollY])));

/**
 * Runs |code| at the beginning of each worker from now on.
 * @param {string} folder the app's
 * @param {string} code
 */
async function patchWorker(folder, code) {
  const file = join(folder, 'server/worker.js');
  original ??= readFileSync(file, 'utf8');
  writeFileSync(file, `${code}\n${original}`);
}

/** @type {string|undefined} */
let original;

/**
 * @param {Page} page
 * @param {import('../../ui/server/types.d.ts').ApplianceOptions} [options]
 */
async function begin(page, options = {}) {
  await page.reload();
  await page.waitForFunction(() => 'fortnight' in globalThis);
  await page.evaluate((options) => /** @type {any} */ (globalThis).fortnight.start({ port: 0, ...options }), options);
}

test('the page', { timeout: 100_000 }, async (t) => {
  const { folder } = stageIwa({ out: join(scratch, 'app') });
  const app = await launchIwa({ folder, headless: true, args: ['--window-size=1280,900'] });
  t.after(() => app.close());
  const { page } = app;
  /** @type {string[]} */
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  const before = await layout(page);

  await t.test('Start: state, hashes, times and identity are there', async () => {
    await page.getByLabel('Port', { exact: true }).fill('0');
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByText('Next swap in 6 days').waitFor();
    await page.getByText(/^served since .+, until .+/).waitFor();
    await page.getByText(/^takes over on .+, until .+/).waitFor();
    const { hashes: [active, standby], identity, link } = await status(page);
    await shows(page, [active.hex, standby.hex]);
    assert.equal(await page.locator('#identity').textContent(), identity);
    assert.equal(await page.locator('#link').textContent(), link);
    assert.equal(await page.locator('#health').getAttribute('data-mood'), 'good');
  });

  await t.test('nothing has moved', async () => {
    assert.deepEqual(await layout(page), before);
  });

  await t.test('Rotate: refused with the reason, then done anyway', async () => {
    const [active, standby] = await hashes(page);
    await page.getByRole('button', { name: 'Rotate now' }).click();
    const dialog = page.getByRole('dialog', { name: 'The standby is not ready yet' });
    await dialog.waitFor();
    assert.equal(await hasFocus(page), 'ask-no');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    assert.deepEqual(await hashes(page), [active, standby]);
    assert.equal(await hasFocus(page), 'rotate');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Rotate anyway' }).click();
    await page.waitForFunction((hex) => document.getElementById('active')?.dataset.hex === hex, standby);
    assert.ok(!(await hashes(page)).includes(active));
  });

  await t.test('Revoke, by keyboard alone', async () => {
    const [active, standby] = await hashes(page);
    await shows(page, [active, standby]);
    await page.getByRole('button', { name: 'Revoke…' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Revoke the active certificate?' }).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await hasFocus(page), 'ask-yes');
    await page.keyboard.press('Enter');
    await page.waitForFunction((hex) => document.getElementById('active')?.dataset.hex === hex, standby);
    const after = await hashes(page);
    assert.ok(!after.includes(active));
    assert.equal(after[0], standby);
  });

  await t.test('Reset: not before the word is typed', async () => {
    const old = await hashes(page);
    const { identity, epoch } = await status(page);
    await page.getByRole('button', { name: 'Reset…' }).click();
    const yes = page.getByRole('button', { name: 'Reset everything' });
    assert.equal(await yes.isDisabled(), true);
    await page.keyboard.type('rese');
    await page.keyboard.press('Enter');
    assert.equal(await yes.isDisabled(), true);
    await page.keyboard.type('t');
    await page.keyboard.press('Enter');
    await page.waitForFunction((hex) => ![hex, '', undefined].includes(document.getElementById('active')?.dataset.hex),
      old[0]);
    const after = await status(page);
    assert.equal(after.epoch, epoch + 1);
    assert.equal(after.identity, identity);
    for (const { hex } of after.hashes) assert.ok(!old.includes(hex));
  });

  await t.test('Stop: nothing is left of it', async () => {
    await page.getByRole('button', { name: 'Revoke…' }).click();
    await page.getByRole('dialog').waitFor();
    await page.evaluate(() => /** @type {any} */ (globalThis).fortnight.stop());
    await page.getByText('Not running').waitFor();
    assert.equal(await page.getByRole('dialog').count(), 0);
    assert.equal(await page.locator('#active').textContent(), '');
    assert.deepEqual(await layout(page), before);
  });

  await t.test('all is well once the standby is ready, and a swap needs no question', async () => {
    await begin(page, { profile: 'max-age=1s' });
    await page.getByText('All is well').waitFor();
    const [, standby] = await hashes(page);
    await page.getByRole('button', { name: 'Rotate now' }).click();
    await page.waitForFunction((hex) => document.getElementById('active')?.dataset.hex === hex, standby);
    assert.equal(await page.getByRole('dialog').count(), 0);
    await page.getByText('All is well').waitFor();
  });

  await t.test('a full disk: what is served goes on, and is told', async () => {
    await patchWorker(folder, `
      const write = FileSystemSyncAccessHandle.prototype.write;
      let full = false;
      new BroadcastChannel('disk').onmessage = ({ data }) => { full = data; };
      FileSystemSyncAccessHandle.prototype.write = function (...args) {
        if (full) throw new DOMException('the quota is used up', 'QuotaExceededError');
        return write.apply(this, args);
      };`);
    await begin(page);
    const [, standby] = await hashes(page);
    const fill = (/** @type {boolean} */ full) => page.evaluate((full) => {
      // Commands are carried out after it: both come to the worker in order.
      new BroadcastChannel('disk').postMessage(full);
    }, full);
    await fill(true);
    await page.evaluate(() => /** @type {any} */ (globalThis).fortnight.rotate({ force: true }).catch(() => {}));
    await page.getByText('The state cannot be saved', { exact: true }).waitFor();
    await page.locator('#trouble', { hasText: /OPFS.*there is no room left/ }).waitFor();
    // That it takes over was prepared for; that another is made was not.
    assert.equal((await hashes(page))[0], standby);
    assert.equal(await page.locator('#health').getAttribute('data-mood'), 'bad');
    await fill(false);
    await page.getByText('Serving; the standby is settling in').waitFor();
  });

  await t.test('without a private file system it serves, and says so', async () => {
    await patchWorker(folder, 'StorageManager.prototype.getDirectory = undefined;');
    await begin(page);
    await page.getByText('Nothing is kept: this browser has no private file system').waitFor();
    await page.getByText('nothing is kept beyond this run').waitFor();
    assert.equal((await status(page)).certificates.durable, false);
  });

  assert.deepEqual(complaints, []);
});
