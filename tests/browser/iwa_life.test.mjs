// SPDX-License-Identifier: Apache-2.0
/**
 * A certificate's life in the Isolated Web App, whose worker is given a clock
 * that can be moved.  The client is the app's own page, and so has the true
 * time: it can follow one swap, for the standby is valid already.
 */
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

const DAY = 86400;

/* Before all of the worker's own code. */
const CLOCK = `
  const now = Date.now;
  let offset = 0;
  const channel = new BroadcastChannel('clock');
  channel.onmessage = ({ data }) => {
    offset = data * 1000;
    channel.postMessage('moved');
  };
  Date.now = () => now() + offset;
`;

/** Runs in the page, and defines what the steps call. */
function defineClient() {
  /** @type {Map<string, {transport: any, closed: string}>} */
  const sessions = new Map();
  Object.assign(globalThis, { client: {
    /**
     * @param {string} name
     * @param {string} url
     * @param {string[]} hashes in hex
     */
    async connect(name, url, ...hashes) {
      const transport = new /** @type {any} */ (globalThis).WebTransport(url, {
        serverCertificateHashes: hashes.map((hex) => ({ algorithm: 'sha-256',
          value: Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16)) })),
      });
      const session = { transport, closed: '' };
      transport.closed.then(() => { session.closed = 'closed'; }, () => { session.closed = 'failed'; });
      await transport.ready;
      sessions.set(name, session);
      return 'connected';
    },
    /** @param {string} name */
    async echo(name) {
      const { writable, readable } = await sessions.get(name)?.transport.createBidirectionalStream();
      const writer = writable.getWriter();
      await writer.write(new TextEncoder().encode(name));
      await writer.close();
      return new Response(readable).text();
    },
    /** @param {string} name resolved when the session has ended */
    async end(name) {
      await sessions.get(name)?.transport.closed.catch(() => {});
      return 'ended';
    },
    /** @param {number} seconds from the true time */
    async shift(seconds) {
      const channel = new BroadcastChannel('clock');
      const moved = new Promise((resolve) => { channel.onmessage = resolve; });
      channel.postMessage(seconds);
      await moved;
      channel.close();
    },
  } });
}

/**
 * @param {Page} page
 * @param {'fortnight'|'client'} object
 * @param {string} method
 * @param {...unknown} args
 * @returns {Promise<any>} what it resolves to, or {message}
 */
const call = (page, object, method, ...args) => page.evaluate(async ([object, method, args]) => {
  try {
    return await /** @type {any} */ (globalThis)[object][method](...args);
  } catch (error) {
    return { message: String(/** @type {Error} */ (error).message) };
  }
}, /** @type {const} */ ([object, method, args]));

/** @param {{hashes: {hex: string}[]}} published */
const hexes = ({ hashes }) => hashes.map(({ hex }) => hex);

/** @param {Page} page */
async function begin(page) {
  await page.waitForFunction(() => 'fortnight' in globalThis);
  await page.evaluate(defineClient);
  return call(page, 'fortnight', 'start', { port: 0 });
}

test('six days in the app', { timeout: 100_000 }, async (t) => {
  const { folder } = stageIwa({ out: join(scratch, 'app') });
  const worker = join(folder, 'server/worker.js');
  writeFileSync(worker, CLOCK + readFileSync(worker, 'utf8'));
  const app = await launchIwa({ folder, headless: true });
  t.after(() => app.close());
  const { page } = app;
  const ready = await begin(page);
  const [first, second] = hexes(ready);

  await t.test('a client comes, and stays', async () => {
    assert.equal(await call(page, 'client', 'connect', 'a', ready.url, first, second), 'connected');
    assert.equal(await call(page, 'client', 'echo', 'a'), 'a');
  });

  await t.test('a client that learnt both hashes six days ago connects', async () => {
    await call(page, 'client', 'shift', 6 * DAY + 7200);
    // It is the first to come, and has the certificate swapped.
    assert.equal(await call(page, 'client', 'connect', 'b', ready.url, first, second), 'connected');
    assert.equal(await call(page, 'client', 'echo', 'b'), 'b');
    assert.equal(await call(page, 'client', 'connect', 'c', ready.url, second), 'connected');
  });

  await t.test('who was there has noticed nothing', async () => {
    assert.equal(await call(page, 'client', 'echo', 'a'), 'a');
    await page.waitForFunction((hex) => document.getElementById('active')?.dataset.hex === hex, second);
    const status = await call(page, 'fortnight', 'status');
    assert.equal(hexes(status)[0], second);
    assert.equal(status.certificates.counters.rotations, 1);
    assert.equal(status.hashes.length, 2);
    assert.equal(status.closed.length, 0);
  });

  await t.test('the hash that is gone is refused, and the log says why', async () => {
    assert.ok((await call(page, 'client', 'connect', 'd', ready.url, first)).message);
    await page.locator('#log').getByText(/refused/).first().waitFor();
  });

  await t.test('a revoke closes what it must, at once, and nothing else', async () => {
    const [, third] = hexes(await call(page, 'fortnight', 'status'));
    const revoked = await call(page, 'fortnight', 'command', { command: 'revoke' });
    assert.equal(hexes(revoked)[0], third);
    assert.ok(!hexes(revoked).includes(second));
    assert.equal(await call(page, 'client', 'end', 'b'), 'ended');
    assert.equal(await call(page, 'client', 'end', 'c'), 'ended');
    // This one was made under the first.
    assert.equal(await call(page, 'client', 'echo', 'a'), 'a');
    assert.ok((await call(page, 'client', 'connect', 'e', ready.url, second)).message);
  });

  await t.test('the true time again: the app keeps what it has, and serves', async () => {
    const { identity } = await call(page, 'fortnight', 'status');
    await page.reload();
    const again = await begin(page);
    assert.equal(again.identity, identity);
    assert.ok(!hexes(again).includes(second), 'a revoked one came back');
    assert.equal(await call(page, 'client', 'connect', 'f', again.url, ...hexes(again)), 'connected');
    assert.equal(await call(page, 'client', 'echo', 'f'), 'f');
  });
});
