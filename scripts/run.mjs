// SPDX-License-Identifier: Apache-2.0
/**
 * `make run`: Fortnight as an Isolated Web App in Chromium, started, serving,
 * and stopped again with everything that it started.
 */
import { mkdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PORT_MIN, isPort } from '../ui/app/options.js';
import { ApplianceError, exitCodeOf } from '../ui/server/exit_codes.js';
import { openControl } from './control-socket.mjs';
import { hasDisplay, launchIwa, within } from './launch-iwa.mjs';
import { selfTest } from './self-test.mjs';
import { stageIwa } from './stage-iwa.mjs';

/**
 * @typedef {import('../ui/server/types.d.ts').ApplianceOptions} ApplianceOptions
 * @typedef {import('../ui/server/types.d.ts').ApplianceEvent} ApplianceEvent
 * @typedef {import('../ui/server/types.d.ts').ReadyEvent} ReadyEvent
 * @typedef {import('../ui/server/types.d.ts').ErrorCode} ErrorCode
 *
 * What the page gives to scripts; see ui/app/main.js.
 * @typedef {object} Page
 * @property {(options: ApplianceOptions) => Promise<ReadyEvent>} start
 * @property {() => Promise<void>} stop
 * @property {(listener: (events: ApplianceEvent[]) => void) => void} listen
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SCREENSHOT = join(ROOT, 'build/fortnight.png');

const HELP = `usage: make run [ARGS="OPTION..."]

Starts Fortnight as an Isolated Web App in Chromium, with a window where there
is a display.  Once it serves it prints one line on standard output: "ready "
and a JSON object with url, link, hashes, identity and pid.  Ctrl-C stops it.

  --listen ADDRESS   the address to bind (default 127.0.0.1; :: is all networks)
  --port N           the UDP port, 1024 to 65535; 0 is any free one (default 4433)
  --host NAME        a name or address for the certificate; may be repeated, and
                     the first is the link's (default: chosen by the appliance)
  --no-permission    do not grant the network beforehand (also --grant=no):
                     Chromium asks, and a headless one denies
  --profile PROFILE  how the certificates live: hot-standby, long or short, or
                     backdate=1d,standby=6d,active=6d,guard=1d,...
  --mirror URL       where clients can fetch the signed hash set, for the link
  --retry WHEN       whether clients show first that they are where they say:
                     always, busy (default) or never
  --ephemeral        keep nothing: a new identity at each start
  --profile-dir DIR  a folder for Chromium's profile, in which the certificates
                     and the identity stay (default: one that goes with it)
  --headless         no window, even where there is a display
  --self-test        let a second Chromium connect by the link and echo, then stop
  --app FOLDER       run this folder and not the one staged from the sources
  --control PATH     take commands over this Unix socket, as the other hosts do
  --help             this text

exit codes: 0 stopped as asked, 1 internal, 2 refused option, 3 port busy,
            4 permission denied, 5 address not available, 6 control socket
            refused, 7 state refused
`;

/* A person may take their time with a prompt; a headless browser has none. */
const START_TIMEOUT_MS = 30_000;

/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

/** @param {string[]} args */
function parse(args) {
  /** @type {ReturnType<typeof parseOptions>['values']} */
  let values;
  try {
    ({ values } = parseOptions(args));
  } catch (error) {
    throw new ApplianceError('bad-option', /** @type {Error} */ (error).message.split('\n')[0]);
  }
  if (values.port !== undefined && !isPort(values.port)) {
    throw new ApplianceError('bad-option', `--port ${values.port}: give ${PORT_MIN} to 65535, or 0`);
  }
  if (values.grant !== undefined && !['yes', 'no'].includes(values.grant)) {
    throw new ApplianceError('bad-option', `--grant=${values.grant}: yes or no`);
  }
  return values;
}

/** @param {string[]} args */
function parseOptions(args) {
  return parseArgs({ args, options: {
    'listen': { type: 'string' },
    'port': { type: 'string' },
    'host': { type: 'string', multiple: true },
    'profile': { type: 'string' },
    'mirror': { type: 'string' },
    'retry': { type: 'string' },
    'ephemeral': { type: 'boolean' },
    'profile-dir': { type: 'string' },
    'grant': { type: 'string' },
    'no-permission': { type: 'boolean' },
    'headless': { type: 'boolean' },
    'self-test': { type: 'boolean' },
    'app': { type: 'string' },
    'control': { type: 'string' },
    'help': { type: 'boolean' },
  } });
}

/**
 * @param {import('playwright-core').Page} page
 * @param {ApplianceOptions} options
 * @param {boolean} headless
 * @returns {Promise<ReadyEvent>}
 */
async function start(page, options, headless) {
  const started = page.evaluate(async (options) => {
    const { fortnight, fortnightEvents } = /** @type {{fortnight: Page, fortnightEvents: (events: ApplianceEvent[]) => void}} */ (
      /** @type {unknown} */ (globalThis));
    fortnight.listen(fortnightEvents);
    try {
      return { ready: await fortnight.start(options) };
    } catch (error) {
      const { code, message } = /** @type {Error & {code?: ErrorCode}} */ (error);
      return { failed: { code: code ?? 'internal', message } };
    }
  }, options);
  const { ready, failed } = headless
    ? await within(START_TIMEOUT_MS, 'starting the appliance', started) : await started;
  if (!ready) {
    throw new ApplianceError(/** @type {ErrorCode} */ (failed?.code ?? 'internal'), failed?.message ?? '');
  }
  return ready;
}

/**
 * @param {unknown} error
 * @returns {string} one clear line for a person at a terminal
 */
function line(error) {
  const { code, message } = /** @type {Error & {code?: string}} */ (error);
  return code === 'permission-denied'
    ? 'Chromium does not let the app use the network: it must be allowed the local network and loopback'
      + ' (leave out --no-permission, or allow both in the app\'s settings)'
    : message.split('\n')[0];
}

/**
 * @param {string[]} args
 * @param {Promise<string>} signal resolved when a signal asks to stop
 * @returns {Promise<number>} the exit code
 */
async function main(args, signal) {
  /** @type {ApplianceOptions} */
  const options = {};
  /** @type {Awaited<ReturnType<typeof launchIwa>>|undefined} */
  let app;
  /** @type {Awaited<ReturnType<typeof openControl>>|undefined} */
  let control;
  try {
    const values = parse(args);
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    if (values.listen !== undefined) options.address = values.listen;
    if (values.port !== undefined) options.port = Number(values.port);
    if (values.host !== undefined) options.hosts = values.host;
    if (values.profile !== undefined) options.profile = values.profile;
    if (values.mirror !== undefined) options.mirror = values.mirror;
    if (values.retry !== undefined) options.retry = /** @type {ApplianceOptions['retry']} */ (values.retry);
    if (values.ephemeral) options.ephemeral = true;
    const headless = Boolean(values.headless) || !hasDisplay();

    const folder = values.app ?? stageIwa().folder;
    app = await launchIwa({
      folder, headless, profileDir: values['profile-dir'] && resolve(values['profile-dir']),
      grant: values.grant !== 'no' && !values['no-permission'],
      args: headless ? ['--window-size=1280,900'] : [],
    });
    const { page, closed } = app;
    const gone = closed.then((how) => {
      if (how === 'crashed') throw new ApplianceError('internal', 'the page crashed');
      return 'the window was closed';
    });
    let serving = false;
    /** @type {(error: ApplianceError) => void} */
    let fault = () => {};
    const faulted = new Promise((/** @type {(never: never) => void} */ _, reject) => { fault = reject; });
    const onEvents = (/** @type {ApplianceEvent[]} */ events) => {
      for (const event of events) {
        if (event.type === 'log') say(`${event.level}: ${event.text}`);
        // A failure to start is told by start() itself.
        if (event.type !== 'error' || !serving) continue;
        // In a window the person can read it, and press Start again.
        if (headless) fault(new ApplianceError(event.code, event.text));
        else say(`error: ${event.text}`);
      }
    };
    const over = Promise.race([gone, faulted, signal]);
    over.catch(() => {});
    // Not raced with a signal: Playwright does not survive that its page is
    // closed while it exposes a function.
    await page.exposeFunction('fortnightEvents', onEvents);
    const ready = await Promise.race([start(page, options, headless), over]).catch(async (error) => {
      if (headless) await screenshot(page);
      throw error;
    });
    if (typeof ready === 'string') {
      say(`stopping: ${ready}`);
      return 0;
    }
    serving = true;
    const { url, link, hashes, identity } = ready;
    if (values.control !== undefined) {
      control = await openControl({ path: values.control, own: false,
        onCommand: (command) => page.evaluate(
          (it) => /** @type {any} */ (globalThis).fortnight.command(it), command) });
    }
    console.log(`ready ${JSON.stringify({
      url, link, hashes, identity, pid: process.pid, control: values.control })}`);
    if (headless) await screenshot(page);
    if (values['self-test']) {
      const passed = await Promise.race([selfTest(link, {
        headless, say, rotate: () => page.evaluate(() => /** @type {any} */ (globalThis).fortnight.rotate({ force: true })) }),
      over]);
      if (passed !== true) throw new Error(`the self-test did not pass${passed ? `: ${passed}` : ''}`);
    } else {
      say(`stopping: ${await over}`);
    }
    return 0;
  } catch (error) {
    say(`fortnight: ${line(error)}`);
    if (process.env.DEBUG) say(String(/** @type {Error} */ (error).stack));
    return exitCodeOf(error);
  } finally {
    await control?.close();
    if (app) {
      // So that the peers are told; Chromium would only vanish.
      await within(6_000, 'stopping', app.page.evaluate(() =>
        /** @type {{fortnight?: Page}} */ (/** @type {unknown} */ (globalThis)).fortnight?.stop())).catch(() => {});
      await app.close();
    }
  }
}

/** @param {import('playwright-core').Page} page */
async function screenshot(page) {
  try {
    mkdirSync(join(SCREENSHOT, '..'), { recursive: true });
    await page.screenshot({ path: SCREENSHOT, timeout: 5_000 });
    say(`no display: the window is in ${relative(process.cwd(), SCREENSHOT)}`);
  } catch (error) {
    say(`no screenshot: ${/** @type {Error} */ (error).message.split('\n')[0]}`);
  }
}

const signal = new Promise((/** @type {(name: string) => void} */ resolve) => {
  for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(name, () => resolve(name));
  }
});
process.exit(await main(process.argv.slice(2), signal));
