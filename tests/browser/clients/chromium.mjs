// SPDX-License-Identifier: Apache-2.0
// Chromium, by playwright-core.  Its network log is kept when a case failed.

import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { makeScratch } from '../process.mjs';
import { step } from '../step.mjs';
import { findProgram } from './client.mjs';

/**
 * @param {string} pageUrl
 * @returns {Promise<import('./client.mjs').Client>}
 */
export async function startChromium(pageUrl) {
  const scratch = makeScratch('chromium');
  try {
    const netlog = join(scratch.folder, 'netlog.json');
    const context = await step('launching Chromium',
      chromium.launchPersistentContext(join(scratch.folder, 'profile'), {
        executablePath: findProgram(process.env.CHROMIUM, ['chromium', 'chromium-browser']),
        headless: true,
        env: scratch.env,
        handleSIGINT: false,
        handleSIGTERM: false,
        handleSIGHUP: false,
        args: [
          '--no-sandbox',
          `--log-net-log=${netlog}`,
          // No penalty for a refused handshake: after some ten of them in one
          // page Chromium makes each further connection wait, for minutes.
          '--webtransport-developer-mode',
        ],
      }), 30_000);
    const page = context.pages()[0] ?? await context.newPage();
    await step('loading the client page', page.goto(pageUrl));
    scratch.family();
    return {
      name: 'chromium',
      traits: {
        fin: true, capsules: true, noCapsules: false, goodbye: true, resets: true,
        resetCodes: true, stops: true,
        // It knows no waitUntilAvailable, and rejects.
        waits: false,
        // read() is rejected: "chunk is empty".
        emptyDatagrams: false,
      },
      run: (name, params) => page.evaluate(
        ([it, with_]) => /** @type {any} */ (globalThis).answer(it, with_),
        /** @type {const} */ ([name, params])),
      reload: () => step('reloading the client page', page.reload()),
      async stop() {
        await step('closing Chromium', context.close());
        await scratch.gone('Chromium left nothing behind');
      },
      async keep(folder) {
        if (existsSync(netlog)) copyFileSync(netlog, join(folder, 'netlog.json'));
      },
      remove: () => scratch.remove(),
    };
  } catch (error) {
    scratch.remove();
    throw error;
  }
}
