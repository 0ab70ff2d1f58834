// SPDX-License-Identifier: Apache-2.0
/**
 * script_app.mjs on the page of an Isolated Web App of its own, the appliance
 * in its worker.  Prints "ready {…}"; ends at SIGTERM.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchIwa, within } from '../../scripts/launch-iwa.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const PAGE = '<!doctype html><title>Script</title>'
  + '<link rel="manifest" href="/.well-known/manifest.webmanifest">'
  + '<script type="module" src="/page.js"></script>';

// The launcher waits for the global: what is listened at hangs on it.
const SCRIPT = `
import { serveScript } from '/script_app.mjs';
import { WebTransportServer } from '/server/webtransport_server.js';
globalThis.fortnight = WebTransportServer.listen({ port: 0, address: '127.0.0.1', ephemeral: true,
  paths: ['/echo', '/source'] }).then((server) => {
  serveScript(server);
  const { url, hashes } = server.certificates;
  return { url, hashes: hashes.map(({ use, hex }) => ({ use, hex })) };
});
`;

const folder = mkdtempSync(join(tmpdir(), 'fortnight-script-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, '.well-known'));
cpSync(join(ROOT, 'manifest/manifest.webmanifest'), join(folder, '.well-known/manifest.webmanifest'));
cpSync(join(ROOT, 'manifest/icons'), join(folder, 'icons'), { recursive: true });
cpSync(join(ROOT, 'ui/server'), join(folder, 'server'), { recursive: true });
cpSync(join(ROOT, 'tests/bench/script_app.mjs'), join(folder, 'script_app.mjs'));
for (const file of ['fortnight.mjs', 'fortnight.wasm']) cpSync(join(ROOT, 'build/wasm', file), join(folder, file));
writeFileSync(join(folder, 'index.html'), PAGE);
writeFileSync(join(folder, 'page.js'), SCRIPT);

const { page, close, closed } = await launchIwa({ folder, headless: true });
const signal = new Promise((resolve) => process.once('SIGTERM', resolve));
try {
  const ready = await within(15_000, 'the server on the page', page.evaluate(
    () => /** @type {any} */ (globalThis).fortnight));
  console.log(`ready ${JSON.stringify(ready)}`);
  await Promise.race([signal, closed]);
} finally {
  await close();
}
