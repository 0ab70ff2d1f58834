// SPDX-License-Identifier: Apache-2.0
/**
 * How long a person waits for the app: from `make run` to a client that is
 * connected, and from the press of Start to the link on the screen.
 *
 *   node tests/bench/start.mjs [--presses N] [--runs N]
 *
 * Everything is built and set up before; the client's browser is open already.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { launchClient, launchIwa } from '../../scripts/launch-iwa.mjs';
import { stageIwa } from '../../scripts/stage-iwa.mjs';
import { run, say, stopAll } from './programs.mjs';
import { table } from './table.mjs';

/**
 * @typedef {object} Row
 * @property {'press'|'run'} name
 * @property {string} title
 * @property {number} limit the issue's, in ms
 * @property {number[]} times in ms
 */

/* Nobody presses Start sooner after the page has come up. */
const LOOKING_MS = 1000;

const RUN_MS = 60_000;

/**
 * @param {import('playwright-core').Page} page
 * @returns {Promise<number>} milliseconds
 */
const press = (page) => page.evaluate(async () => {
  const port = /** @type {HTMLInputElement} */ (document.getElementById('port'));
  port.value = '0';
  port.dispatchEvent(new Event('input', { bubbles: true }));
  const link = /** @type {HTMLElement} */ (document.getElementById('link'));
  await new Promise((resolve) => { requestAnimationFrame(resolve); });
  const begin = performance.now();
  const written = new Promise((resolve) => {
    new MutationObserver((_, observer) => {
      if (!link.textContent?.includes('#wt=')) return;
      observer.disconnect();
      resolve(undefined);
    }).observe(link, { childList: true, characterData: true, subtree: true });
  });
  document.getElementById('toggle')?.click();
  await written;
  // What was written before a frame is on the screen after it.
  await new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
  });
  return performance.now() - begin;
});

/** @param {number} presses */
async function measurePress(presses) {
  say(`the app: ${presses} presses of Start`);
  const app = await launchIwa({ folder: stageIwa().folder, headless: true, args: ['--window-size=1280,900'] });
  try {
    const times = [];
    for (let i = 0; i < presses; i++) {
      // The identity is made at the first, and kept.
      if (i > 0) await app.page.reload();
      await app.page.waitForFunction(() => 'fortnight' in globalThis);
      await sleep(LOOKING_MS);
      times.push(await press(app.page));
    }
    return times;
  } finally {
    await app.close();
  }
}

/** Runs in the client's page. @param {string} link */
async function connect(link) {
  const url = new URL(link);
  const hashes = (new URLSearchParams(url.hash.slice(1)).get('wt') ?? '').split('.');
  url.hash = '';
  const transport = new /** @type {any} */ (globalThis).WebTransport(url.href, {
    serverCertificateHashes: hashes.map((hash) => ({ algorithm: 'sha-256',
      value: Uint8Array.from(atob(hash.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)) })),
  });
  await transport.ready;
}

/** @param {number} runs */
async function measureRun(runs) {
  say(`make run: ${runs} times, to a connected client`);
  const client = await launchClient({ headless: true });
  try {
    const times = [];
    for (let i = 0; i < runs; i++) {
      const begin = performance.now();
      const { child, lines } = await run(['make', '-s', 'run', 'ARGS=--headless --port 0'], RUN_MS,
        { until: (line) => line.startsWith('ready ') });
      const ended = new Promise((resolve) => { child.once('close', resolve); });
      const { link, pid } = JSON.parse(lines[lines.length - 1].slice('ready '.length));
      try {
        await client.page.evaluate(connect, link);
        times.push(performance.now() - begin);
      } finally {
        process.kill(pid, 'SIGTERM');
        await ended;
      }
    }
    return times;
  } finally {
    await client.close();
  }
}

/**
 * @param {{presses?: number, runs?: number}} [settings]
 * @returns {Promise<Row[]>}
 */
export async function measureStart({ presses = 20, runs = 5 } = {}) {
  return [
    { name: 'press', title: 'press of Start to the link on screen', limit: 400, times: await measurePress(presses) },
    { name: 'run', title: 'make run to a connected client', limit: 6000, times: await measureRun(runs) },
  ];
}

/** @param {number[]} times */
function middle(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** @param {Row[]} rows */
export const summarizeStart = (rows) => Object.fromEntries(rows.map(({ name, times }) => [name, middle(times)]));

/** @param {Row[]} rows */
export function printStart(rows) {
  const ms = (/** @type {number} */ n) => `${Math.round(n).toLocaleString('en-US')} ms`;
  console.log('How long a person waits for the app');
  table(['', 'n', 'median', 'least', 'most', 'at most'], rows.map(({ title, limit, times }) => [
    title, String(times.length), ms(middle(times)), ms(Math.min(...times)), ms(Math.max(...times)), ms(limit)]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: {
    presses: { type: 'string', default: '20' }, runs: { type: 'string', default: '5' } } });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      stopAll().then(() => process.exit(130));
    });
  }
  printStart(await measureStart({ presses: Number(values.presses), runs: Number(values.runs) }));
  await stopAll();
}
