// SPDX-License-Identifier: Apache-2.0
/**
 * The state of the Isolated Web App, in a real private file system: it outlives
 * the page and the browser, and belongs to one window at a time.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { launchIwa } from '../../scripts/launch-iwa.mjs';
import { stageIwa } from '../../scripts/stage-iwa.mjs';
import { exportIdentity, importIdentity } from '../../ui/app/backup.js';
import { until } from './step.mjs';

/**
 * @typedef {import('playwright-core').Page} Page
 * @typedef {import('../../ui/server/types.d.ts').Status} Status
 */

const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));

/**
 * @param {Page} page
 * @param {string} method of the page's |fortnight|
 * @param {object} [argument]
 * @returns {Promise<any>} what it resolves to, or {code, message}
 */
const call = (page, method, argument = {}) => page.evaluate(async ([method, argument]) => {
  try {
    return await /** @type {any} */ (globalThis).fortnight[method](argument);
  } catch (error) {
    const { code, message } = /** @type {any} */ (error);
    return { code, message };
  }
}, /** @type {const} */ ([method, argument]));

const PORT = { port: 0 };
const PASSPHRASE = 'correct horse battery';

/** @param {{identity: string, hashes: {hex: string}[]}} published */
const secrets = ({ identity, hashes }) => [identity, ...hashes.map(({ hex }) => hex)];

/** @param {Page} page */
async function reload(page) {
  await page.reload();
  await page.waitForFunction(() => 'fortnight' in globalThis);
}

/**
 * Writes to a file of the state, past the app, in a worker of its own.
 * @param {Page} page
 * @param {string} name
 */
const damage = (page, name) => page.evaluate(async (name) => {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('state');
  const file = await folder.getFileHandle(name);
  const octets = new Uint8Array(await (await file.getFile()).arrayBuffer());
  octets[100] ^= 1;
  const writable = await file.createWritable();
  await writable.write(octets);
  await writable.close();
}, name);

/**
 * @param {Page} page
 * @param {string} name
 * @returns {Promise<number>} octets
 */
const sizeOf = (page, name) => page.evaluate(async (name) => {
  const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('state');
  return (await (await folder.getFileHandle(name)).getFile()).size;
}, name);

test('the app’s state', { timeout: 100_000 }, async (t) => {
  const { folder } = stageIwa({ out: join(scratch, 'app') });
  const profileDir = join(scratch, 'profile');
  let app = await launchIwa({ folder, profileDir, headless: true });
  t.after(() => app.close());
  /** @type {string[]} */
  let known = [];
  let url = '';
  const openWindow = async () => {
    const page = await app.context.newPage();
    await page.goto(`${app.origin}/`);
    await page.waitForFunction(() => 'fortnight' in globalThis);
    return page;
  };

  await t.test('a stop and a start', async () => {
    const first = await call(app.page, 'start', PORT);
    assert.equal(first.ephemeral, false, JSON.stringify(first));
    known = secrets(first);
    assert.equal(known.length, 3);
    await call(app.page, 'stop');
    assert.deepEqual(secrets(await call(app.page, 'start', PORT)), known);
  });

  await t.test('a reload, without a word', async () => {
    await reload(app.page);
    assert.deepEqual(secrets(await call(app.page, 'start', PORT)), known);
  });

  await t.test('a swap is kept', async () => {
    const refused = await call(app.page, 'rotate');
    assert.match(refused.message, /standby/);
    const rotated = secrets(await call(app.page, 'rotate', { force: true }));
    assert.equal(rotated[0], known[0]);
    assert.equal(rotated[1], known[2]);
    known = rotated;
    /** @type {Status} */
    const { certificates } = await call(app.page, 'status');
    assert.equal(certificates.durable, true);
    await reload(app.page);
    const again = secrets(await call(app.page, 'start', PORT));
    assert.deepEqual(again.slice(0, 2), known.slice(0, 2));
    known = again;
    ({ url } = await call(app.page, 'status'));
  });

  /** @param {Page} page */
  const isServing = (page) => until('it serves', async () => (await call(page, 'status')).run === 'serving');

  await t.test('a second window says which one serves, and is not in the way', async () => {
    const second = await openWindow();
    await second.getByText('Fortnight serves in another window').waitFor();
    await second.getByText(url).waitFor();
    const refused = await call(second, 'start', PORT);
    assert.equal(refused.code, 'state-refused');
    assert.match(refused.message, /another window/);
    await second.getByText('Start with nothing kept').click();
    await isServing(second);
    const status = await call(second, 'status');
    assert.equal(status.certificates.durable, false);
    assert.notEqual(status.identity, known[0]);
    await second.close();
    assert.deepEqual(secrets(await call(app.page, 'status')), known);
  });

  await t.test('a window takes the place of another, and serves in its place', async () => {
    const first = app.page;
    const second = await openWindow();
    await second.getByText('Use this window instead').click();
    await isServing(second);
    const status = await call(second, 'status');
    assert.deepEqual(secrets(status), known);
    assert.equal(status.certificates.durable, true);
    // The links that are out there name the port.
    assert.equal(status.url, url);
    await first.getByText('Fortnight serves in another window').waitFor();
    assert.equal((await call(first, 'start', PORT)).code, 'state-refused');
    // It is the heir of the other when that closes.
    await second.close();
    await first.getByText('Fortnight serves in another window').waitFor({ state: 'hidden' });
    assert.deepEqual(secrets(await call(first, 'start', PORT)), known);
  });

  await t.test('all is lost but the file of the identity', async () => {
    // As the dialogs of the page do it.
    const appliance = { command: (/** @type {object} */ command) => call(app.page, 'command', command) };
    const { text } = await exportIdentity(appliance, PASSPHRASE);
    await call(app.page, 'stop');
    const lost = await call(app.page, 'start', { ...PORT, ephemeral: true });
    assert.notEqual(lost.identity, known[0]);
    await assert.rejects(importIdentity(appliance, text, `${PASSPHRASE}!`), { code: 'wrong-passphrase' });
    assert.equal((await call(app.page, 'status')).identity, lost.identity);
    const found = await importIdentity(appliance, text, PASSPHRASE);
    assert.equal(found.identity, known[0]);
    assert.match(found.link ?? '', new RegExp(`[#&]id=${known[0]}`));
    assert.ok(found.epoch > lost.epoch, 'clients would not take what is signed in an epoch that they know');
    await call(app.page, 'stop');
    assert.deepEqual(secrets(await call(app.page, 'start', PORT)), known);
  });

  await t.test('a copy that is damaged is set aside', async () => {
    await call(app.page, 'stop');
    // Whichever is the newer: each of the two in turn.
    for (const name of ['state.0', 'state.1']) {
      await damage(app.page, name);
      const again = await call(app.page, 'start', PORT);
      assert.equal(again.identity, known[0]);
      assert.deepEqual(again.hashes[0].hex, known[1]);
      await app.page.getByText('1 of 2 copies of the state was damaged').last().waitFor();
      await call(app.page, 'stop');
      assert.ok(await sizeOf(app.page, `${name}.bad`) > 0);
    }
    assert.ok(await sizeOf(app.page, 'journal.jsonl') > 0);
    assert.equal(await sizeOf(app.page, 'journal.jsonl.bad'), 0);
  });

  await t.test('the end of the browser', async () => {
    await app.close();
    app = await launchIwa({ folder, profileDir, headless: true });
    const again = await call(app.page, 'start', PORT);
    assert.equal(again.identity, known[0]);
    assert.deepEqual(again.hashes[0].hex, known[1]);
  });

  await t.test('ephemeral leaves it alone', async () => {
    await call(app.page, 'stop');
    const other = await call(app.page, 'start', { ...PORT, ephemeral: true });
    assert.equal(other.ephemeral, true);
    assert.notEqual(other.identity, known[0]);
    await call(app.page, 'stop');
    assert.equal((await call(app.page, 'start', PORT)).identity, known[0]);
  });
});
