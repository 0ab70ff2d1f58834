// SPDX-License-Identifier: Apache-2.0
//
// The Chromium half of the conformance table: in a dedicated worker of an
// Isolated Web App, which is where the appliance lives.  After an update of
// Chromium,  RECORD=1 node udp_socket_browser.test.mjs  writes what it does
// now into udp_socket_expected.json, for a person to look at the difference.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync }
  from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launchIwa } from '../../scripts/launch-iwa.mjs';
import { ROWS } from './udp_socket_table.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const manifest = join(here, '../../manifest');
const expectedFile = join(here, 'udp_socket_expected.json');

const PAGE = '<!doctype html><title>UDPSocket</title>' +
  '<link rel="manifest" href="/.well-known/manifest.webmanifest">' +
  '<script type="module" src="/page.js"></script>';

const WORKER = `
import { observe } from '/udp_socket_table.mjs';
postMessage(await observe(UDPSocket));
`;

// The launcher waits for the global: the worker's answer hangs on it.
const SCRIPT = `
const policy = trustedTypes.createPolicy('test', {
  createScriptURL: (url) => url,
});
globalThis.fortnight = new Promise((done, fail) => {
  const worker = new Worker(policy.createScriptURL('/worker.js'),
    { type: 'module' });
  worker.onmessage = ({ data }) => done(data);
  worker.onerror = ({ message }) => fail(new Error(message));
});
`;

test('Chromium does what is expected', { timeout: 90_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'udp-socket-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, '.well-known'));
  cpSync(join(manifest, 'manifest.webmanifest'),
    join(folder, '.well-known/manifest.webmanifest'));
  cpSync(join(manifest, 'icons'), join(folder, 'icons'), { recursive: true });
  cpSync(join(here, 'udp_socket_table.mjs'),
    join(folder, 'udp_socket_table.mjs'));
  writeFileSync(join(folder, 'index.html'), PAGE);
  writeFileSync(join(folder, 'page.js'), SCRIPT);
  writeFileSync(join(folder, 'worker.js'), WORKER);

  const { page, close } = await launchIwa({ folder, headless: true });
  t.after(close);
  const results = /** @type {Record<string, string>} */ (await page.evaluate(
    () => /** @type {any} */ (globalThis).fortnight));

  if (process.env.RECORD) {
    writeFileSync(expectedFile, `${JSON.stringify(results, null, 2)}\n`);
  }
  const expected = JSON.parse(readFileSync(expectedFile, 'utf8'));
  for (const name of ROWS.keys()) {
    await t.test(name, () => assert.equal(results[name], expected[name]));
  }
});
