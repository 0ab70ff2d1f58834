// SPDX-License-Identifier: Apache-2.0
/**
 * Starts Chromium with a folder installed as an Isolated Web App by the
 * developer's route, the network granted and the app's window open; and a
 * plain second Chromium, to be its client.
 *
 * The folder is served on a free port of localhost for as long as the browser
 * runs: an app installed this way is fetched through that address each time.
 * Each browser has a profile folder of its own, which goes with it, unless it
 * is given one that stays: what the app keeps is in there, below the app's
 * origin, which is an address of its own too.  Both are noted in the folder.
 *
 *   node scripts/launch-iwa.mjs FOLDER    prints the app's origin, then waits
 */
import { accessSync, constants, createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync,
  rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { delimiter, extname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

/**
 * @typedef {import('playwright-core').Page} Page
 * @typedef {import('playwright-core').BrowserContext} BrowserContext
 */

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** @type {Readonly<Record<string, string>>} */
const TYPES = Object.freeze({
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
});

/* Chromium's background work would only disturb a server and its tests. */
const ARGS = [
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--no-default-browser-check',
];

/* What takes longer hangs; a machine with much else to do is merely slow. */
const CDP_MS = 30_000;
const LAUNCH_MS = 60_000;

/* The profile folders' names, before the process id of who made them. */
const PROFILE = 'fortnight-profile-';

const IWA_ARGS = ['--enable-features=IsolatedWebApps,IsolatedWebAppDevMode'];

/** @returns {string} the path of Chromium, as PATH has it */
export function findChromium() {
  for (const name of NAMES) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder || '.', name);
      try {
        accessSync(path, constants.X_OK);
        if (statSync(path).isFile()) return path;
      } catch {
        // Not here.
      }
    }
  }
  throw new Error(`no Chromium on PATH (looked for ${NAMES.join(', ')}): install it, for instance`
    + ' by apt-get install chromium');
}

/** @returns {boolean} whether a window could be shown to a person */
export function hasDisplay() {
  return Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}

/**
 * @template T
 * @param {number} ms
 * @param {string} what
 * @param {Promise<T>} promise
 * @returns {Promise<T>} |promise|, rejected if it takes longer than |ms|
 */
export async function within(ms, what, promise) {
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  try {
    return await Promise.race([promise, new Promise((/** @type {(never: never) => void} */ _, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: no answer in ${ms / 1000} s`)), ms);
    })]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Serves a folder on loopback.
 * @param {string} folder
 * @param {number} [port] 0: any free one
 * @returns {Promise<{url: string, port: number, close: () => void}>}
 */
export function serveFolder(folder, port = 0) {
  const root = resolve(folder);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    let file = '';
    try {
      const path = decodeURIComponent(pathname);
      file = join(root, path.endsWith('/') ? `${path}index.html` : path);
    } catch {
      // Not a path: falls through to 404.
    }
    if (!file.startsWith(root + sep) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'cache-control': 'no-store',
    });
    createReadStream(file).on('error', () => response.destroy()).pipe(response);
  });
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      done({
        url: `http://localhost:${port}/`,
        port,
        close: () => {
          server.close();
          server.closeAllConnections();
        },
      });
    });
  });
}

/** @returns {string} the id of an app in development: base32(32 random octets, 00 00 02) */
function developmentId() {
  const digits = 'abcdefghijklmnopqrstuvwxyz234567';
  const bits = [...randomBytes(32), 0, 0, 2].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => digits[parseInt(five, 2)]).join('');
}

/**
 * @typedef {object} Browser
 * @property {Page} page the app's window, or the first tab
 * @property {BrowserContext} context
 * @property {Promise<'closed'|'crashed'>} closed resolved when the page is gone
 * @property {() => Promise<void>} close ends the browser and removes its profile
 */

/** Removes the profiles of those who were killed before they could. */
function sweep() {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PROFILE) ? parseInt(name.slice(PROFILE.length), 10) : NaN;
    if (Number.isNaN(pid)) continue;
    try {
      process.kill(pid, 0);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') continue;
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    }
  }
}

/**
 * @typedef {object} Launch
 * @property {boolean} [headless] default: if there is no display
 * @property {string[]} [args] more arguments for Chromium
 * @property {string} [executablePath]
 * @property {string} [profileDir] a profile folder that stays; made if it is
 *     not there
 *
 * @param {Launch} options
 * @returns {Promise<{context: BrowserContext, close: () => Promise<void>}>}
 */
async function launch({ headless = !hasDisplay(), args = [], executablePath = findChromium(), profileDir }) {
  sweep();
  const profile = profileDir ?? mkdtempSync(join(tmpdir(), `${PROFILE}${process.pid}-`));
  const remove = () => {
    // The browser may still write while it ends: hence the retries.
    if (!profileDir) rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  process.once('exit', remove);
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless,
      args: [...ARGS, ...args],
      chromiumSandbox: process.getuid?.() !== 0,
      // Installing an app writes icons and desktop files below HOME.
      env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile,
        XDG_DATA_HOME: profile },
      // The size and the colours are the window's own.
      viewport: null,
      colorScheme: null,
      // Signals are for the program that called.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      timeout: LAUNCH_MS,
    });
    return {
      context,
      close: async () => {
        await within(CDP_MS, 'closing Chromium', context.close()).catch(() => {});
        remove();
        process.off('exit', remove);
      },
    };
  } catch (error) {
    remove();
    process.off('exit', remove);
    throw error;
  }
}

/**
 * @param {Page} page
 * @returns {Browser['closed']}
 */
function gone(page) {
  return new Promise((resolve) => {
    page.once('close', () => resolve('closed'));
    page.once('crash', () => resolve('crashed'));
  });
}

/**
 * The app that a profile folder was used for: its id, and the port that it was
 * installed from, to which it goes back for its files each time.
 * @param {string|undefined} profileDir
 * @returns {{id: string, port: number, installed: boolean, note: (port: number) => void}}
 */
function appOf(profileDir) {
  const file = profileDir && join(profileDir, 'fortnight-app.json');
  const app = { id: developmentId(), port: 0, installed: false, note: (/** @type {number} */ _) => {} };
  if (!file) return app;
  mkdirSync(/** @type {string} */ (profileDir), { recursive: true, mode: 0o700 });
  if (existsSync(file)) {
    const { id, port } = JSON.parse(readFileSync(file, 'utf8'));
    return { ...app, id, port, installed: true };
  }
  app.note = (port) => writeFileSync(file, `${JSON.stringify({ id: app.id, port })}\n`, { mode: 0o600 });
  return app;
}

/**
 * Starts Chromium with |folder| as an Isolated Web App.
 *
 * @param {Launch & {
 *   folder: string,
 *   grant?: boolean,
 * }} options |grant|: whether the network is granted beforehand; otherwise
 *     Chromium asks, and a headless one denies at once
 * @returns {Promise<Browser & {origin: string}>}
 */
export async function launchIwa({ folder, grant = true, args = [], profileDir, ...rest }) {
  const app = appOf(profileDir);
  const server = await serveFolder(folder, app.port);
  /** @type {Awaited<ReturnType<typeof launch>>|undefined} */
  let launched;
  try {
    launched = await launch({ args: [...IWA_ARGS, ...args], profileDir, ...rest });
    const { context } = launched;
    const [blank] = context.pages();
    const browser = context.browser();
    if (!browser) throw new Error('Chromium gave no browser session');
    const cdp = await within(CDP_MS, 'CDP', browser.newBrowserCDPSession());
    const origin = `isolated-app://${app.id}`;
    const manifestId = `${origin}/`;
    if (!app.installed) {
      await within(LAUNCH_MS, 'PWA.install',
        cdp.send('PWA.install', { manifestId, installUrlOrBundleUrl: server.url }));
      app.note(server.port);
    }
    if (grant) {
      // What is not in the list is denied: the copy buttons and the state need
      // the last two.
      await within(CDP_MS, 'Browser.grantPermissions', cdp.send('Browser.grantPermissions', { origin,
        permissions: ['localNetwork', 'loopbackNetwork', 'clipboardSanitizedWrite', 'durableStorage'] }));
    }
    const [page] = await Promise.all([
      context.waitForEvent('page', { timeout: CDP_MS }),
      within(CDP_MS, 'PWA.launch', cdp.send('PWA.launch', { manifestId })),
    ]);
    await page.waitForURL(`${manifestId}**`, { timeout: CDP_MS });
    await page.waitForFunction(() => 'fortnight' in globalThis, undefined, { timeout: CDP_MS });
    await blank?.close();
    const { close } = launched;
    return {
      page, context, origin, closed: gone(page),
      close: async () => {
        await close();
        server.close();
      },
    };
  } catch (error) {
    await launched?.close();
    server.close();
    throw error;
  }
}

/**
 * Starts a plain Chromium with one blank page on http://localhost, from where
 * loopback may be reached without a permission.
 *
 * @param {Launch} [options]
 * @returns {Promise<Browser>}
 */
export async function launchClient(options = {}) {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      .end('<!doctype html><title>Fortnight client</title>');
  });
  await new Promise((/** @type {(value?: undefined) => void} */ done, fail) => {
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => done());
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  /** @type {Awaited<ReturnType<typeof launch>>|undefined} */
  let launched;
  try {
    launched = await launch(options);
    const { context, close } = launched;
    const page = context.pages()[0] ?? await context.newPage();
    await page.goto(`http://localhost:${port}/`, { timeout: CDP_MS });
    return {
      page, context, closed: gone(page),
      close: async () => {
        await close();
        stop();
      },
    };
  } catch (error) {
    await launched?.close();
    stop();
    throw error;
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { origin, closed, close } = await launchIwa({ folder: process.argv[2] ?? 'build/iwa' });
  console.log(origin);
  const signal = new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM']) process.once(name, resolve);
  });
  await Promise.race([closed, signal]);
  await close();
}
