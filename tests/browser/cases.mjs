// SPDX-License-Identifier: Apache-2.0
// The cases that each server has to pass with each client.  What the client
// does is in page/cases.mjs; here is what it is asked, and what the server
// must say of it.

import { randomBytes } from 'node:crypto';
import { askClient, ClientHangs } from './ask.mjs';
import { run } from './process.mjs';
import { hashesByUse } from './servers/server.mjs';
import { expect, expectEqual, until } from './step.mjs';

const SWAPS = 20;

/** Stream error codes about the gaps in their mapping to HTTP/3's. */
const CODES = [0, 5, 29, 30, 31, 255];

/**
 * @typedef {object} Context
 * @property {import('./servers/server.mjs').Server} server
 * @property {import('./clients/client.mjs').Client} client
 * @property {string} origin    of the client page
 * @property {import('./servers/server.mjs').HashSet} hashSet  as last given
 */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {(context: Context) => Promise<void>} run
 * @property {(keyof import('./clients/client.mjs').Traits)[]} [needs]  it is
 *     not run with a client that lacks one of these
 */

/**
 * Has the client run its part of a case.
 * @param {Context} context
 * @param {string} name
 * @param {object} [params]
 */
function ask(context, name, params = {}) {
  const { active, standby } = hashesByUse(context.hashSet);
  return askClient(context.client, name, {
    url: context.hashSet.url, hashes: [active, standby], ...params,
  });
}

/**
 * @param {string} name
 * @param {string} page
 * @param {object} [params]
 * @param {Case['needs']} [needs]
 * @returns {Case}
 */
function simple(name, page, params = {}, needs = []) {
  return { name, needs, run: async (context) => { await ask(context, page, params); } };
}

/** @param {Context} context */
function status(context) {
  return context.server.command({ command: 'status' });
}

/**
 * Runs |body| while one session is opened, and gives what the server says of
 * that session's end.
 * @param {Context} context
 * @param {(opened: () => Promise<any>) => Promise<void>} body  |opened| waits
 *     for the session and gives its status
 * @returns {Promise<{by: string, code: number, reason: string}>}
 */
async function watchSession(context, body) {
  const before = await status(context);
  const known = new Set([...before.sessions, ...before.closed]
    .map((/** @type {any} */ it) => it.session));
  /** @param {any[]} list */
  const pick = (list) => list.find((it) => !known.has(it.session));
  await body(() => until('the server shows the new session',
    async () => pick((await status(context)).sessions)));
  const { by, code, reason } = await until(
    'the server shows the end of the session',
    async () => pick((await status(context)).closed));
  return { by, code, reason };
}

/**
 * @param {string} name
 * @param {{closeCode?: number, reason?: string}} info
 * @returns {Case}
 */
function clientCloses(name, info) {
  return {
    name,
    needs: ['capsules'],
    async run(context) {
      const want = { closeCode: info.closeCode ?? 0, reason: info.reason ?? '' };
      const end = await watchSession(context, async () => {
        expectEqual(await ask(context, 'close', info), want, "the client's wt.closed");
      });
      expectEqual(end, { by: 'client', code: want.closeCode, reason: want.reason },
        'the server saw');
    },
  };
}

/**
 * @param {string} name
 * @param {number} code
 * @param {string} reason
 * @returns {Case}
 */
function serverCloses(name, code, reason) {
  return {
    name,
    needs: ['capsules'],
    async run(context) {
      const query = `?close=${code}&reason=${encodeURIComponent(reason)}`;
      const end = await watchSession(context, async () => {
        expectEqual(await ask(context, 'closed', { query }),
          { closeCode: code, reason }, "the client's wt.closed");
      });
      expectEqual(end, { by: 'server', code, reason }, 'the server says');
    },
  };
}

/** Swaps the certificate, by the command line where there is one.
 * @param {Context} context
 * @param {boolean} byProgram
 */
async function rotate(context, byProgram) {
  const { kind, ready } = context.server;
  if (!byProgram || !kind.rotateProgram || !ready.control) {
    return context.server.command({ command: 'rotate', force: true });
  }
  const { code, stdout, stderr } = await run(kind.rotateProgram(ready.control));
  expect(code === 0, `fortnight rotate ended with ${code}: ${stderr.trim()}`);
  const last = stdout.at(-1) ?? '';
  return JSON.parse(last.slice(last.indexOf('{')));
}

/** @param {Context} context */
async function swaps(context) {
  const id = randomBytes(8).toString('hex');
  const seen = new Set(Object.values(hashesByUse(context.hashSet)));
  await ask(context, 'hold', { id });
  for (let i = 1; i <= SWAPS; i++) {
    const before = hashesByUse(context.hashSet);
    // The first by the command line: starting a program each time is slow.
    context.hashSet = await rotate(context, i === 1);
    const now = hashesByUse(context.hashSet);
    try {
      expectEqual(now.active, before.standby, 'the active hash');
      expect(!seen.has(now.standby), 'the new standby is not new');
      seen.add(now.standby);
      expectEqual(hashesByUse(await status(context)), now, 'the status');
      await ask(context, 'swapped', { id, before, now });
    } catch (error) {
      if (error instanceof ClientHangs) throw error;
      throw new Error(`swap ${i}: ${/** @type {Error} */ (error).message}`);
    }
  }
  await ask(context, 'release', { id });
}

/** @param {number} n */
function sizes(n) {
  return Array.from({ length: n }, (_, i) => 1 + (i * 997) % 16384);
}

/** @type {Case[]} */
export const CASES = [
  simple('bidi-small', 'bidi', { sizes: [5] }),
  simple('bidi-empty', 'bidi', { sizes: [0] }, ['fin']),
  simple('bidi-1mib', 'bidi', { sizes: [1 << 20] }),
  simple('bidi-many', 'bidi', { sizes: sizes(60) }),
  // More than any limit of streams, but never more than 50 at once.
  simple('bidi-waves', 'bidi', { sizes: sizes(200), wave: 50 }, ['fin']),
  simple('bidi-beyond-limit', 'bidi', { sizes: sizes(200), wait: true },
    ['fin', 'waits']),
  simple('uni-echo', 'uni', {
    sizes: Array.from({ length: 20 }, (_, i) => i === 0 ? 300_000 : 8 + i * 531),
  }),
  simple('uni-empty', 'uni-empty', {}, ['fin']),
  simple('server-uni', 'server-uni', { count: 10 }),
  simple('server-bidi', 'server-bidi', { count: 10 }),
  simple('datagram-small', 'datagram', { sizes: [1, 2, 10, 100, 1000] }),
  simple('datagram-empty', 'datagram', { sizes: [0] }, ['emptyDatagrams']),
  simple('datagram-max', 'datagram-max'),
  simple('sessions', 'sessions', { count: 5 }),

  clientCloses('close-client', { closeCode: 4711, reason: 'that was it' }),
  clientCloses('close-client-plain', {}),
  clientCloses('close-client-utf8', { closeCode: 0xffffffff, reason: 'tschüß ☃' }),
  serverCloses('close-server', 7, 'bye'),
  serverCloses('close-server-long', 0xffffffff, 'x'.repeat(300)),
  {
    name: 'close-command',
    needs: ['capsules'],
    async run(context) {
      const end = await watchSession(context, async (opened) => {
        const closed = ask(context, 'closed', { query: '' });
        const { session, origin, path } = await opened();
        await context.server.command(
          { command: 'close', session, code: 99, reason: 'asked ☃ to' });
        const info = await closed;
        expectEqual(origin, context.origin, "the session's origin");
        expectEqual(path, '/echo', "the session's path");
        expectEqual(info, { closeCode: 99, reason: 'asked ☃ to' },
          "the client's wt.closed");
      });
      expectEqual(end, { by: 'server', code: 99, reason: 'asked ☃ to' },
        'the server says');
    },
  },
  {
    name: 'close-connection',
    needs: ['noCapsules'],
    async run(context) {
      const end = await watchSession(context, async () => {
        await ask(context, 'close', {});
      });
      expectEqual(end.by, 'connection', 'the session was ended by');
    },
  },

  {
    name: 'page-gone',
    needs: ['goodbye'],
    async run(context) {
      const end = await watchSession(context, async (opened) => {
        await ask(context, 'leave');
        await opened();
        await context.client.reload?.();
      });
      expect(end.by !== 'server' && end.code === 0 && end.reason === '',
        `the server saw ${JSON.stringify(end)}`);
    },
  },

  {
    name: 'reset',
    needs: ['resets'],
    async run(context) {
      const { resetCodes } = context.client.traits;
      for (const code of CODES) {
        expectEqual(await ask(context, 'reset', { code, resetCodes }),
          resetCodes ? code : null, 'the reset code');
      }
    },
  },
  {
    name: 'stop-sending',
    needs: ['stops'],
    async run(context) {
      for (const code of CODES) {
        // Chromium 156 forgets the code when the other direction was reset
        // before, as it is here: null then.
        const got = await ask(context, 'stop-sending', { code });
        if (got !== null) expectEqual(got, code, 'the stop code');
      }
    },
  },

  simple('two-hashes', 'two-hashes'),
  simple('wrong-hash', 'wrong-hash'),
  simple('unknown-path', 'unknown-path', { path: '/no-such-path' }),
  {
    name: 'link',
    async run(context) {
      const { link, url } = context.hashSet;
      const { active, standby } = hashesByUse(context.hashSet);
      expectEqual(await ask(context, 'link', { link }),
        { url, hashes: [active, standby] }, 'the link says');
    },
  },
  { name: 'swaps', run: swaps },
];
