// SPDX-License-Identifier: Apache-2.0
//
// What the real thing does: Chromium, in a dedicated worker of an Isolated Web
// App, which is where the appliance lives.
//
// - The conformance table of node/udp_socket_table.mjs, whose expectations are
//   Chromium's answers.  After an update of Chromium
//   RECORD=1 node directsockets/browser.test.mjs  writes what it answers now,
//   for a person to look at the difference.
// - The shim's own test program, as it also runs on Node.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync }
  from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launchIwa } from '../scripts/launch-iwa.mjs';
import { ROWS } from './node/udp_socket_table.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const expectedFile = join(root, 'directsockets/node/udp_socket_expected.json');
const program = join(root, 'build/wasm/directsockets/directsockets_web_test');

const PAGE = '<!doctype html><title>Direct Sockets</title>' +
  '<link rel="manifest" href="/.well-known/manifest.webmanifest">' +
  '<script type="module" src="/page.js"></script>';

// The launcher waits for the global.
const SCRIPT = `
const policy = trustedTypes.createPolicy('test', {
  createScriptURL: (url) => url,
});
globalThis.fortnight = (script) => new Promise((done, fail) => {
  const worker = new Worker(policy.createScriptURL(script), { type: 'module' });
  worker.onmessage = ({ data }) => {
    done(data);
    worker.terminate();
  };
  worker.onerror = ({ message }) => fail(new Error(message));
});
`;

const TABLE_WORKER = `
import { observe } from '/udp_socket_table.mjs';
postMessage(await observe(UDPSocket));
`;

// The program is at its end when it has told how many tests failed.
const PROGRAM_WORKER = `
import instantiate from '/directsockets_web_test.mjs';
const lines = [];
const print = (line) => {
  lines.push(line);
  if (/(PASSED|FAILED TEST)/.test(line)) {
    setTimeout(() => postMessage(lines.join('\\n')), 100);
  }
};
await instantiate({ print, printErr: print });
`;

/** @type {Awaited<ReturnType<typeof launchIwa>>} */
let iwa;
const folder = mkdtempSync(join(tmpdir(), 'directsockets-'));

/**
 * @param {string} script
 * @returns {Promise<any>} the first message of the worker that runs `script`
 */
const runWorker = (script) => iwa.page.evaluate(
  (path) => /** @type {any} */ (globalThis).fortnight(path), script);

before(async () => {
  mkdirSync(join(folder, '.well-known'));
  cpSync(join(root, 'manifest/manifest.webmanifest'),
    join(folder, '.well-known/manifest.webmanifest'));
  cpSync(join(root, 'manifest/icons'), join(folder, 'icons'),
    { recursive: true });
  cpSync(join(root, 'directsockets/node/udp_socket_table.mjs'),
    join(folder, 'udp_socket_table.mjs'));
  for (const suffix of ['.mjs', '.wasm']) {
    cpSync(program + suffix, join(folder, `directsockets_web_test${suffix}`));
  }
  writeFileSync(join(folder, 'index.html'), PAGE);
  writeFileSync(join(folder, 'page.js'), SCRIPT);
  writeFileSync(join(folder, 'table.js'), TABLE_WORKER);
  writeFileSync(join(folder, 'program.js'), PROGRAM_WORKER);
  iwa = await launchIwa({ folder, headless: true });
}, { timeout: 60_000 });

after(async () => {
  await iwa?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('Chromium does what is expected', { timeout: 60_000 }, async (t) => {
  const results = /** @type {Record<string, string>} */
    (await runWorker('/table.js'));
  if (process.env.RECORD) {
    writeFileSync(expectedFile, `${JSON.stringify(results, null, 2)}\n`);
  }
  const expected = JSON.parse(readFileSync(expectedFile, 'utf8'));
  for (const name of ROWS.keys()) {
    await t.test(name, () => assert.equal(results[name], expected[name]));
  }
});

test("the shim's tests pass in Chromium", { timeout: 60_000 }, async () => {
  const output = await runWorker('/program.js');
  assert.match(output, /PASSED {2}\] \d+ test/, output);
  assert.doesNotMatch(output, /FAILED/, output);
});
