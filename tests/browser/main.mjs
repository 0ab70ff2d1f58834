// SPDX-License-Identifier: Apache-2.0
// End to end: each server with each client.  Builds nothing.
//
//   node tests/browser/main.mjs [--server native|node|iwa] [--client
//     chromium|firefox|deno|options] [--only CASE] [--repeat N]
//     [--server-command 'PROGRAM ARGUMENTS']
//
// --server, --client and --only may be given several times.  "options" is no
// client: it stands for the cases about options, errors, signals and load.  One
// line a case; the last line is "N passed, N failed".  Exit code 0: all passed.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ClientHangs } from './ask.mjs';
import { CASES } from './cases.mjs';
import { startChromium } from './clients/chromium.mjs';
import { startDeno } from './clients/deno.mjs';
import { startFirefox } from './clients/firefox.mjs';
import { LIFECYCLE_CASES } from './lifecycle_cases.mjs';
import { OPTION_CASES } from './option_cases.mjs';
import { servePages } from './pages.mjs';
import { endEverything } from './process.mjs';
import { SERVING_CASES } from './serving_cases.mjs';
import { iwa } from './servers/iwa.mjs';
import { native } from './servers/native.mjs';
import { node } from './servers/node.mjs';
import { other } from './servers/other.mjs';
import { ROOT, startServer } from './servers/server.mjs';

/** @typedef {import('./servers/server.mjs').Kind} Kind */

const SERVERS = /** @type {Record<string, Kind>} */ ({ native, node, iwa });

const CLIENTS = /** @type {Record<string, (page: string) => Promise<import('./clients/client.mjs').Client>>} */ ({
  chromium: startChromium, firefox: startFirefox, deno: () => startDeno(),
});

/** @type {import('./serving_cases.mjs').ServingCase[]} */
const OWN_SERVER = [...SERVING_CASES, ...LIFECYCLE_CASES];

const ARTIFACTS = join(ROOT, 'build/artifacts/browser');

const count = { passed: 0, failed: 0, left: 0 };

/**
 * @param {'ok' | 'FAIL' | 'n/a'} verdict
 * @param {string} name
 * @param {string} [text]
 */
function report(verdict, name, text = '') {
  if (verdict === 'ok') count.passed++;
  else if (verdict === 'FAIL') count.failed++;
  else count.left++;
  console.log(`${verdict.padEnd(4)} ${name}${text && `: ${text}`}`);
}

/**
 * Runs |body| and reports it.
 * @param {string} name
 * @param {() => Promise<void>} body
 * @returns {Promise<Error | null>}
 */
async function attempt(name, body) {
  const began = performance.now();
  try {
    await body();
    report('ok', `${name} (${Math.round(performance.now() - began)} ms)`);
    return null;
  } catch (reason) {
    const error = /** @type {Error} */ (reason);
    report('FAIL', name, error.message.replaceAll('\n', ' | '));
    return error;
  }
}

/**
 * @param {string} pair
 * @returns {string}  a folder for what explains a failure
 */
function artifactFolder(pair) {
  const folder = join(ARTIFACTS, pair.replaceAll('/', '-'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Each has a server of its own and mostly waits for a clock: some at a time.
 * @param {Kind} kind
 * @param {import('./clients/client.mjs').Client} client
 * @param {import('./serving_cases.mjs').ServingCase[]} cases
 * @returns {Promise<boolean>} whether all passed
 */
async function runAlone(kind, client, cases) {
  const pair = `${kind.name}/${client.name}`;
  let passed = true;
  const queue = cases.filter((it) => {
    const can = kind.clocked || !LIFECYCLE_CASES.includes(it);
    if (!can) {
      report('n/a', `${pair} ${it.name}`,
        `the ${kind.name} server has no clock that can be moved`);
    }
    return can;
  });
  const next = async () => {
    for (let it = queue.shift(); it; it = queue.shift()) {
      const { name, run } = it;
      const keep = (/** @type {string} */ text) =>
        writeFileSync(join(artifactFolder(`${pair}-${name}`), 'server.txt'), text);
      const error = await attempt(`${pair} ${name}`, () => run({ kind, client, keep }));
      passed &&= error === null;
      if (error instanceof ClientHangs) queue.length = 0;
    }
  };
  await Promise.all([next(), next(), next()]);
  return passed;
}

/**
 * @param {import('./servers/server.mjs').Server} server
 * @param {string} clientName
 * @param {string} origin
 * @param {string[]} only
 */
async function runPair(server, clientName, origin, only) {
  const pair = `${server.kind.name}/${clientName}`;
  let failed = false;
  /** @type {import('./clients/client.mjs').Client | undefined} */
  let client;
  const start = async () => { client = await CLIENTS[clientName](`${origin}/`); };
  if (only.length === 0) failed = await attempt(`${pair} start`, start) !== null;
  else await start();
  if (!client) return;
  const hashSet = await server.command({ command: 'status' });
  const context = { server, client, origin, hashSet };
  let hangs = false;
  for (const it of CASES) {
    const name = `${pair} ${it.name}`;
    if (only.length > 0 && !only.includes(it.name)) continue;
    const traits = client.traits;
    const lacks = it.needs?.find((trait) => !traits[trait]);
    if (lacks) {
      if (lacks !== 'noCapsules') report('n/a', name, `${clientName} lacks "${lacks}"`);
      continue;
    }
    if (hangs) {
      report('FAIL', name, 'not run: the client no longer answers');
      continue;
    }
    const error = await attempt(name, () => it.run(context));
    failed ||= error !== null;
    hangs = error instanceof ClientHangs;
  }
  const alone = hangs ? [] : OWN_SERVER.filter((it) => it.clients.includes(clientName)
    && (!it.kinds || it.kinds.includes(server.kind.name))
    && (only.length === 0 || only.includes(it.name)));
  failed = !await runAlone(server.kind, client, alone) || failed;
  const { stop } = client;
  failed = await attempt(`${pair} stop`, stop) !== null || failed;
  if (failed) {
    const folder = artifactFolder(pair);
    await client.keep(folder);
    writeFileSync(join(folder, 'server.txt'), server.running.stderr());
  }
  client.remove();
}

/**
 * @param {Kind} kind
 * @param {string[]} clients
 * @param {string} origin
 * @param {string[]} only
 */
async function runServer(kind, clients, origin, only) {
  const real = clients.filter((name) => name !== 'options');
  const wanted = [...CASES, ...OWN_SERVER]
    .some((it) => only.length === 0 || only.includes(it.name));
  if (real.length > 0 && wanted) {
    /** @type {import('./servers/server.mjs').Server | undefined} */
    let server;
    await attempt(`${kind.name} start`, async () => { server = await startServer(kind); });
    if (server) {
      for (const client of real) {
        try {
          await runPair(server, client, origin, only);
        } catch (error) {
          report('FAIL', `${kind.name}/${client}`, /** @type {Error} */ (error).message);
        }
      }
      const { stop, running } = server;
      if (await attempt(`${kind.name} stop`, stop)) {
        writeFileSync(join(artifactFolder(`${kind.name}/stop`), 'server.txt'),
          running.stderr());
      }
      running.scratch.remove();
    }
  }
  if (!clients.includes('options')) return;
  // Each has a server of its own, and mostly waits: two at a time.
  const cases = OPTION_CASES.filter((it) => (only.length === 0 || only.includes(it.name))
    && (!it.kinds || it.kinds.includes(kind.name)));
  const next = async () => {
    for (let it = cases.shift(); it; it = cases.shift()) {
      const { name, cannot, run } = it;
      const why = cannot?.();
      if (why) report('n/a', `${kind.name}/options ${name}`, why);
      else await attempt(`${kind.name}/options ${name}`, () => run(kind));
    }
  };
  await Promise.all([next(), next()]);
}

async function main() {
  const { values } = parseArgs({
    options: {
      server: { type: 'string', multiple: true },
      client: { type: 'string', multiple: true },
      only: { type: 'string', multiple: true },
      repeat: { type: 'string', default: '1' },
      'server-command': { type: 'string' },
    },
  });
  /**
   * @param {string} option
   * @param {string[] | undefined} given
   * @param {string[]} known
   */
  const choose = (option, given, known) => {
    const unknown = given?.find((it) => !known.includes(it));
    if (unknown) throw new Error(`--${option} ${unknown}: one of ${known.join(', ')}`);
    return given ?? known;
  };
  const clients = choose('client', values.client, [...Object.keys(CLIENTS), 'options']);
  const kinds = values['server-command']
    ? [other(values['server-command'])]
    : choose('server', values.server, Object.keys(SERVERS)).map((it) => SERVERS[it]);
  const only = values.only ? choose('only', values.only,
    [...CASES, ...OWN_SERVER, ...OPTION_CASES].map((it) => it.name)) : [];
  const repeat = Number(values.repeat);
  if (!Number.isInteger(repeat) || repeat < 1) throw new Error('--repeat: a number from 1');

  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      console.error(`ended by ${signal}`);
      process.exit(130);
    });
  }
  const began = performance.now();
  const pages = await servePages();
  for (let i = 1; i <= repeat; i++) {
    if (repeat > 1) console.log(`# round ${i} of ${repeat}`);
    for (const kind of kinds) await runServer(kind, clients, pages.origin, only);
  }
  pages.close();
  console.log(`# ${Math.round((performance.now() - began) / 1000)} s; not applicable: `
    + `${count.left}`);
  console.log(`${count.passed} passed, ${count.failed} failed`);
  process.exitCode = count.failed === 0 && count.passed > 0 ? 0 : 1;
}

process.on('exit', endEverything);
try {
  await main();
} catch (error) {
  console.error(`tests/browser: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 2;
}
// A wait that timed out may still hold the event loop.
process.exit();
