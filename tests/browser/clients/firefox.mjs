// SPDX-License-Identifier: Apache-2.0
// Firefox ESR, by puppeteer-core over WebDriver BiDi.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { makeScratch } from '../process.mjs';
import { step } from '../step.mjs';
import { findProgram } from './client.mjs';

/** What leaves no TCP connection idle: pages.mjs tells why. */
const PREFERENCES = {
  // No second connection beside a slow one, to be kept for later.
  'network.http.connection-retry-timeout': 0,
  // Nor one to Firefox's own services, where there is a network.
  'network.dns.disabled': true,
};

/**
 * @param {string} pageUrl
 * @returns {Promise<import('./client.mjs').Client>}
 */
export async function startFirefox(pageUrl) {
  const scratch = makeScratch('firefox');
  try {
    const profile = join(scratch.folder, 'profile');
    mkdirSync(profile);
    const browser = await step('launching Firefox', puppeteer.launch({
      browser: 'firefox',
      executablePath: findProgram(process.env.FIREFOX, ['firefox-esr', 'firefox']),
      headless: true,
      userDataDir: profile,
      extraPrefsFirefox: PREFERENCES,
      env: scratch.env,
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    }), 60_000);
    const [page = await browser.newPage()] = await browser.pages();
    await step('loading the client page', page.goto(pageUrl));
    scratch.family();
    return {
      name: 'firefox',
      traits: {
        fin: true, capsules: true, noCapsules: false, resets: true, waits: true,
        // The session of a page that is gone lives on until Firefox ends.
        goodbye: false,
        // What comes is a TypeError, "Error in input stream".
        resetCodes: false,
        // cancel() sends nothing.
        stops: false,
        emptyDatagrams: true,
      },
      run: (name, params) => page.evaluate(
        (it, with_) => /** @type {any} */ (globalThis).answer(it, with_),
        name, params),
      reload: () => step('reloading the client page', page.reload()),
      async stop() {
        await step('closing Firefox', browser.close());
        await scratch.gone('Firefox left nothing behind');
      },
      async keep() {},
      remove: () => scratch.remove(),
    };
  } catch (error) {
    scratch.remove();
    throw error;
  }
}
