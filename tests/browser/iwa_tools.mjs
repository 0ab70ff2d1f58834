// SPDX-License-Identifier: Apache-2.0
// What the tests of the Isolated Web App share: calls into its page, and a
// client that has pages of its own.

import { fileURLToPath } from 'node:url';
import { step } from './step.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** What the pages of clients have from us. */
const CLIENT = fileURLToPath(new URL('../../ui/client/fortnight.js', import.meta.url));

export const DAY = 86400;
export const HOUR = 3600;

/**
 * hot-standby, but that a standby is READY two seconds after its publication:
 * that time is of the clock that does not move.
 */
export const PROFILE = 'hot-standby,max-age=1s';

/** @param {{hashes: {hex: string}[]}} published active first */
export const hexes = ({ hashes }) => hashes.map(({ hex }) => hex);

/**
 * @param {Page} page the app's
 * @param {'start'|'stop'|'status'|'rotate'|'command'} method of its |fortnight|
 * @param {object} [argument]
 * @returns {Promise<any>}
 */
export const app = (page, method, argument = {}) => step(`${method} ${JSON.stringify(argument)}`,
  page.evaluate(([method, argument]) =>
    /** @type {any} */ (globalThis).fortnight[method](argument), /** @type {const} */ ([method, argument])));

/**
 * @param {Page} page the app's
 * @param {string} command
 * @param {object} [more]
 */
export const command = (page, command, more = {}) => app(page, 'command', { command, ...more });

/** @param {Page} page where it is loaded again */
export async function reload(page) {
  await page.reload();
  await page.waitForFunction(() => 'fortnight' in globalThis);
}

/**
 * @param {Page} page the client's, where the sessions are
 * @param {'connect'|'refused'|'come'|'echo'|'end'} method
 * @param {...unknown} args
 * @returns {Promise<any>}
 */
export const client = (page, method, ...args) => step(`client: ${method} ${JSON.stringify(args)}`,
  page.evaluate(([method, args]) => /** @type {any} */ (globalThis).client[method](...args),
    /** @type {const} */ ([method, args])));

/**
 * A page of the browser that |first| is a page of, at the same origin.
 * @param {Page} first
 */
export async function clientPage(first) {
  const page = await first.context().newPage();
  await page.route('**/fortnight.js', (route) => route.fulfill({ path: CLIENT }));
  await page.goto(first.url());
  await page.evaluate(defineClient);
  return page;
}

/** Runs in the client's page, and defines what client() calls. */
export function defineClient() {
  /** @type {Map<string, any>} */
  const sessions = new Map();
  const octets = (/** @type {string} */ hex) =>
    Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
  /**
   * @param {string} url
   * @param {string[]} hashes in hex
   */
  const open = async (url, hashes) => {
    const transport = new /** @type {any} */ (globalThis).WebTransport(url, {
      serverCertificateHashes: hashes.map((hex) => ({ algorithm: 'sha-256', value: octets(hex) })),
    });
    transport.closed.catch(() => {});
    await transport.ready;
    return transport;
  };
  const client = {
    /**
     * @param {string} name
     * @param {string} url
     * @param {...string} hashes
     */
    async connect(name, url, ...hashes) {
      sessions.set(name, await open(url, hashes));
    },
    /**
     * @param {string} url
     * @param {...string} hashes
     * @returns {Promise<string>} 'refused', or that it was not
     */
    async refused(url, ...hashes) {
      try {
        (await open(url, hashes)).close();
        return 'connected';
      } catch {
        return 'refused';
      }
    },
    /**
     * Connects by a link, as a page with fortnight.js does, and goes again once
     * it knows what the server knows.
     * @param {string} who has a memory of their own
     * @param {string} link
     * @param {number} seq of the newest signed set
     * @returns {Promise<{code: string, message: string}|'echoed'>} what they are
     *     told if it fails
     */
    async come(who, link, seq) {
      const { connect } = await import(/** @type {string} */ ('/fortnight.js'));
      const storage = {
        getItem: (/** @type {string} */ key) => localStorage.getItem(who + key),
        setItem: (/** @type {string} */ key, /** @type {string} */ value) => localStorage.setItem(who + key, value),
      };
      // The page's own server has the true time, and would give the clock away.
      const transport = connect(link, { storage, time: null });
      try {
        await transport.ready;
      } catch (error) {
        const { code, message } = /** @type {any} */ (error);
        return { code, message };
      }
      while (!(transport.hashes?.seq >= seq)) {
        await new Promise((resolve) => { transport.addEventListener('hashes', resolve, { once: true }); });
      }
      sessions.set(who, transport);
      if (await client.echo(who) !== who) throw new Error('that is no echo');
      transport.close();
      await transport.closed;
      return 'echoed';
    },
    /** @param {string} name */
    async echo(name) {
      const { writable, readable } = await sessions.get(name).createBidirectionalStream();
      const writer = writable.getWriter();
      await writer.write(new TextEncoder().encode(name));
      await writer.close();
      return new Response(readable).text();
    },
    /** @param {string} name resolved when the session has ended, with how */
    end: (name) => sessions.get(name).closed.then(() => 'closed', () => 'failed'),
  };
  Object.assign(globalThis, { client });
}
