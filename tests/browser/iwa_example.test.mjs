// SPDX-License-Identifier: Apache-2.0
/**
 * The example of ui/examples/notes as an Isolated Web App, with a browser of
 * its own as the client: WebTransportServer in the page, the appliance in a
 * worker.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launchClient, launchIwa } from '../../scripts/launch-iwa.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NOTES = join(ROOT, 'ui/examples/notes');
const FILES = ['index.html', 'notes.js', 'manifest.webmanifest'];

/**
 * As README.md in ui/server says.
 * @param {string} folder
 */
function stage(folder) {
  mkdirSync(join(folder, '.well-known'), { recursive: true });
  for (const file of ['index.html', 'notes.js']) cpSync(join(NOTES, file), join(folder, file));
  cpSync(join(NOTES, 'manifest.webmanifest'), join(folder, '.well-known/manifest.webmanifest'));
  cpSync(join(ROOT, 'manifest/icons/icon-144.png'), join(folder, 'icon.png'));
  cpSync(join(ROOT, 'ui/server'), join(folder, 'server'), { recursive: true });
  for (const file of ['fortnight.mjs', 'fortnight.wasm']) cpSync(join(ROOT, 'build/wasm', file), join(folder, file));
}

test('the example is an Isolated Web App of less than 60 lines', () => {
  const lines = FILES.reduce((sum, file) => sum + readFileSync(join(NOTES, file), 'utf8').split('\n').length - 1, 0);
  assert.ok(lines < 60, `${lines}`);
});

test('notes that two clients share', { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fortnight-notes-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  stage(folder);
  const app = await launchIwa({ folder, headless: true });
  t.after(() => app.close());
  /** @type {string[]} */
  const complaints = [];
  app.page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  app.page.on('pageerror', (error) => complaints.push(String(error)));
  const client = await launchClient({ headless: true });
  t.after(() => client.close());

  await app.page.getByText('Open https://').waitFor();
  const link = (await app.page.textContent('body'))?.trim().replace('Open ', '') ?? '';
  const result = await client.page.evaluate(async (link) => {
    const { origin, pathname, hash } = new URL(link);
    const hashes = (new URLSearchParams(hash.slice(1)).get('wt') ?? '').split('.').map((text) =>
      Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)));
    const connect = async () => {
      const wt = new WebTransport(origin + pathname,
        { serverCertificateHashes: hashes.map((value) => ({ algorithm: 'sha-256', value })) });
      await wt.ready;
      return wt;
    };
    /** @type {(wt: WebTransport, request: object) => Promise<any>} */
    const ask = async (wt, request) => {
      const { readable, writable } = await wt.createBidirectionalStream();
      const writer = writable.getWriter();
      await writer.write(new TextEncoder().encode(JSON.stringify(request)));
      await writer.close();
      return new Response(/** @type {any} */ (readable)).json();
    };
    const [a, b] = [await connect(), await connect()];
    const none = await ask(b, { get: 'milk' });
    const told = b.datagrams.readable.getReader().read();
    const set = await ask(a, { set: 'milk', to: 2 });
    const { value } = await told;
    const changed = new TextDecoder().decode(value);
    const got = await ask(b, { get: changed });
    const many = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(a, { set: `n${i}`, to: 'x'.repeat(i * 500) })));
    a.close({ closeCode: 1, reason: 'done' });
    return { none, set, changed, got, many: many.map(({ is }) => is.length) };
  }, link);
  assert.deepEqual(result, { none: { is: null }, set: { is: 2 }, changed: 'milk', got: { is: 2 },
    many: Array.from({ length: 40 }, (_, i) => i * 500) });
  // It is a server like any other: what it counts is there too.
  const { sessions, counters } = await app.page.evaluate(() => /** @type {any} */ (globalThis).fortnight.stats);
  assert.equal(counters.sessions_total, 2);
  assert.ok(sessions.length >= 1);
  const left = client.page.evaluate(() => 0);
  await app.page.evaluate(() => /** @type {any} */ (globalThis).fortnight.close());
  await left;
  assert.deepEqual(complaints, []);
});
