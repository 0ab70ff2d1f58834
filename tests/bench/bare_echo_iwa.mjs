// SPDX-License-Identifier: Apache-2.0
/**
 * The bare UDP echo (directsockets/bare_echo.c) in a worker of an Isolated Web
 * App of its own: the ceiling for the appliance there.  Prints
 * "ready ADDRESS:PORT"; ends at SIGTERM.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchIwa, within } from '../../scripts/launch-iwa.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const PAGE = '<!doctype html><title>Bare echo</title>'
  + '<link rel="manifest" href="/.well-known/manifest.webmanifest">'
  + '<script type="module" src="/page.js"></script>';

// The launcher waits for the global: the worker's answer hangs on it.
const SCRIPT = `
const policy = trustedTypes.createPolicy('bench', { createScriptURL: (url) => url });
globalThis.fortnight = new Promise((done, fail) => {
  const worker = new Worker(policy.createScriptURL('/worker.js'), { type: 'module' });
  worker.onmessage = ({ data }) => (data.port ? done(data.port) : fail(new Error(data.error)));
  worker.onerror = ({ message }) => fail(new Error(message));
});
`;

const WORKER = `
import createModule from '/bare_echo.mjs';
try {
  const module = await createModule({ onBareEcho: ({ port }) => postMessage({ port }) });
  const code = await module.ccall('bare_echo_run', 'number', ['string', 'number'],
    ['127.0.0.1', 0], { async: true });
  postMessage({ error: 'the echo ended with ' + code });
} catch (error) {
  postMessage({ error: String(error) });
}
`;

const folder = mkdtempSync(join(tmpdir(), 'fortnight-bare-echo-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, '.well-known'));
cpSync(join(ROOT, 'manifest/manifest.webmanifest'), join(folder, '.well-known/manifest.webmanifest'));
cpSync(join(ROOT, 'manifest/icons'), join(folder, 'icons'), { recursive: true });
for (const file of ['bare_echo.mjs', 'bare_echo.wasm']) {
  cpSync(join(ROOT, 'build/wasm', file), join(folder, file));
}
writeFileSync(join(folder, 'index.html'), PAGE);
writeFileSync(join(folder, 'page.js'), SCRIPT);
writeFileSync(join(folder, 'worker.js'), WORKER);

const { page, close, closed } = await launchIwa({ folder, headless: true });
const signal = new Promise((resolve) => process.once('SIGTERM', resolve));
try {
  const port = await within(15_000, 'the bare echo', page.evaluate(
    () => /** @type {any} */ (globalThis).fortnight));
  console.log(`ready 127.0.0.1:${port}`);
  await Promise.race([signal, closed]);
} finally {
  await close();
}
