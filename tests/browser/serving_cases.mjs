// SPDX-License-Identifier: Apache-2.0
// How a server meets its clients, and how it takes leave of them.  Each case
// has a server of its own.

import { askClient } from './ask.mjs';
import { startServer } from './servers/server.mjs';
import { expect, expectEqual, step, until } from './step.mjs';

/** More than any case takes, in seconds: nothing is to come from that. */
const LONG = '600';

/** For what is to come when it is over. */
const SHORT = '2';

/**
 * @typedef {import('./lifecycle_cases.mjs').LifecycleCase & {kinds?: string[]}} ServingCase
 *     |kinds|: the servers that it is for; all if missing
 */

/**
 * Starts a server with |args|, and runs |body|.
 * @param {import('./lifecycle_cases.mjs').Place} place
 * @param {string[]} args
 * @param {(server: import('./servers/server.mjs').Server, ask: (name: string, params?: object) => Promise<any>) => Promise<void>} body
 */
async function serving(place, args, body) {
  const server = await startServer(place.kind, ['--port', '0', '--ephemeral', ...args]);
  const { running, ready: { url, hashes } } = server;
  try {
    await body(server, (name, params = {}) => askClient(place.client, name,
      { id: url, url, hashes: hashes.map(({ hex }) => hex), ...params }));
  } catch (error) {
    place.keep(running.stderr());
    throw error;
  } finally {
    running.scratch.remove();
  }
}

/**
 * It was told to stop, and has nobody left.
 * @param {import('./servers/server.mjs').Server} server
 */
async function ends({ running }) {
  const { code, signal } = await step('it ends', running.exited);
  expectEqual(signal ?? code, 0, `the exit code (${running.stderr().trim()})`);
  await running.scratch.gone('the server left nothing behind');
}

const CLIENTS = ['chromium', 'firefox', 'deno'];

/** @type {ServingCase['run']} */
const retry = (place) => serving(place, ['--retry', 'always'], async (server, ask) => {
  await ask('connect');
  const { counters } = await server.command({ command: 'status' });
  const { retries_sent: retries, tokens_accepted: accepted, handshakes_completed } = counters;
  expect(retries >= 1, 'no Retry was sent');
  expectEqual({ accepted, handshakes_completed }, { accepted: 1, handshakes_completed: 1 },
    'tokens accepted, and handshakes');
  await server.stop();
});

/** @type {ServingCase[]} */
export const SERVING_CASES = [
  { name: 'retry', kinds: ['native', 'node'], clients: CLIENTS, run: retry },
  // It starts slowly, and is the same program as on Node.
  { name: 'retry', kinds: ['iwa'], clients: ['chromium'], run: retry },

  {
    // What is open goes on, whoever comes is refused, and with the last
    // session the server ends.  (The app does not drain: its page goes when it
    // is asked to.)
    name: 'drain',
    kinds: ['native', 'node'],
    clients: CLIENTS,
    run: (place) => serving(place, ['--drain', LONG], async (server, ask) => {
      await ask('hold');
      server.running.kill('SIGTERM');
      await until('a new session is refused', () =>
        ask('refused').catch((error) => {
          if (/was accepted/.test(error.message)) return false;
          throw error;
        }));
      // Its streams that are open, new ones, and datagrams.
      await ask('held');
      await ask('held');
      await ask('release');
      await ends(server);
    }),
  },
  {
    name: 'drain-deadline',
    kinds: ['native', 'node'],
    clients: CLIENTS,
    run: (place) => serving(place, ['--drain', SHORT], async (server, ask) => {
      await ask('hold');
      const over = ask('over');
      over.catch(() => {});
      server.running.kill('SIGTERM');
      expectEqual(await over, place.client.traits.capsules
        ? { closeCode: 0, reason: 'the server stops' } : null, "the client's wt.closed");
      await ends(server);
    }),
  },
];
