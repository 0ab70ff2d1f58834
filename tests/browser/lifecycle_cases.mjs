// SPDX-License-Identifier: Apache-2.0
// The life of the certificates, as browsers see it.  Each case has a server of
// its own, whose wall clock it can move; the browser's clock is the true one.
// So a server that is to have a past begins in it, and is brought to the
// present.

import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { makeClock } from '../clock/clock.mjs';
import { askClient } from './ask.mjs';
import { parseLink } from './page/cases.mjs';
import { makeScratch } from './process.mjs';
import { native } from './servers/native.mjs';
import { node } from './servers/node.mjs';
import { hashesByUse, startServer } from './servers/server.mjs';
import { expect, expectEqual, step, until } from './step.mjs';

const DAY = 86400;
const HOUR = 3600;

/** A hash that no certificate has. */
const WRONG = '5a'.repeat(32);

/**
 * hot-standby, but that a standby is READY two seconds after its publication:
 * that time is of the clock that does not move.
 */
const PROFILE = ['--profile', 'hot-standby,max-age=1s'];

/**
 * The server looks at its clock once a minute at the latest; that, and what a
 * busy machine adds.
 */
const LOOKS_MS = 90_000;

const ROTATIONS = 50;

/** What an operator is told of a certificate that is three days old. */
const OLD_OR_WRONG = 'its link is older than 3 days, or its clock is more than '
  + '10 days slow or more than 3 days fast';

/**
 * How each says that it does not like a certificate.
 * @type {Record<string, {kind: string, by: string, who: string}>}
 */
const REFUSALS = {
  chromium: { kind: 'refused_verifier_chromium', by: 'chromium', who: 'Chromium ' },
  firefox: { kind: 'refused_verifier_firefox', by: 'firefox', who: 'Firefox ' },
  deno: { kind: 'other', by: 'client', who: '' },
};

/** @typedef {import('./servers/server.mjs').HashSet} HashSet */

/**
 * @typedef {object} Place  where a case is run
 * @property {import('./servers/server.mjs').Kind} kind
 * @property {import('./clients/client.mjs').Client} client
 * @property {(text: string) => void} keep  what may explain a failure
 */

/**
 * @typedef {object} LifecycleCase
 * @property {string} name
 * @property {string[]} clients
 * @property {(place: Place) => Promise<void>} run
 */

/**
 * A server that a case has for itself.
 * @typedef {object} Life
 * @property {Place} place
 * @property {import('./servers/server.mjs').Server} server
 * @property {import('../clock/clock.mjs').Clock} clock
 * @property {HashSet} set  as last told
 */

/** One session that is held needs a name inside the page. */
let held = 0;

/**
 * Starts a server, runs |body|, and stops it.
 * @param {Place} place
 * @param {object} options
 * @param {string[]} [options.args]
 * @param {number} [options.offset]  of its clock from the true time, in seconds
 * @param {(life: Life) => Promise<void>} body
 */
async function live(place, { args = ['--ephemeral'], offset = 0 }, body) {
  const scratch = makeScratch('clock');
  const clock = makeClock(join(scratch.folder, 'clock'));
  clock.set(offset);
  try {
    const all = args.includes('--port') ? args : ['--port', '0', ...args];
    const server = await startServer(place.kind, all, clock);
    try {
      await body({ place, server, clock, set: await server.command({ command: 'hashes' }) });
      await server.stop();
    } catch (error) {
      place.keep(server.running.stderr());
      throw error;
    } finally {
      server.running.scratch.remove();
    }
  } finally {
    clock.close();
    scratch.remove();
  }
}

/**
 * @param {Life} life
 * @param {string} name
 * @param {object} [params]
 */
function ask(life, name, params = {}) {
  const { active, standby } = hashesByUse(life.set);
  return askClient(life.place.client, name,
    { url: life.set.url, hashes: [active, standby], ...params });
}

/**
 * Names what did not go as expected.
 * @param {string} what
 * @param {Promise<any>} promise
 */
async function named(what, promise) {
  try {
    return await promise;
  } catch (error) {
    const { constructor, message } = /** @type {Error} */ (error);
    throw new (/** @type {any} */ (constructor))(`${what}: ${message}`);
  }
}

/**
 * @param {Life} life
 * @param {string} what  the hashes are
 * @param {string[]} hashes
 */
const connects = (life, what, hashes) =>
  named(`connecting with ${what}`, ask(life, 'connect', { hashes }));

/**
 * @param {Life} life
 * @param {string} what
 * @param {string[]} hashes
 */
const isRefused = (life, what, hashes) =>
  named(`being refused with ${what}`, ask(life, 'refused', { hashes }));

/**
 * @param {Life} life
 * @param {Record<string, unknown>} command
 */
async function command(life, command) {
  life.set = await life.server.command(command);
  return hashesByUse(life.set);
}

/** @param {Life} life */
const rotate = (life) => command(life, { command: 'rotate', force: true });

/**
 * Moves the server's clock to where its standby takes over, and waits until it
 * has, and the next one is published.
 * @param {Life} life
 */
async function rotateNaturally(life) {
  const before = hashesByUse(life.set);
  const active = life.set.hashes.find((it) => it.use === 'active');
  const then = /** @type {import('./servers/server.mjs').Hash} */ (active).active_until;
  const ahead = then - life.clock.now();
  expect(Number.isInteger(then) && Math.abs(ahead - 6 * DAY) < HOUR,
    `the next rotation is in ${ahead} s, not in about six days`);
  life.clock.move(ahead);
  life.set = await until('the standby takes over when its time has come', async () => {
    const status = await life.server.command({ command: 'status' });
    return status.hashes.length === 2 && status.hashes[0].hex !== before.active && status;
  }, LOOKS_MS);
  const now = hashesByUse(life.set);
  expectEqual(now.active, before.standby, 'the active hash');
  return now;
}

/**
 * Opens a session that stays.
 * @param {Life} life
 */
async function hold(life) {
  const id = `life-${++held}`;
  await ask(life, 'hold', { id });
  return {
    echoes: () => ask(life, 'held', { id }),
    isOver: () => ask(life, 'over', { id }),
    release: () => ask(life, 'release', { id }),
  };
}

/**
 * What holds after each rotation from the hashes of |before| to those of |now|.
 * @param {Life} life
 * @param {{active: string, standby: string}} before
 * @param {{active: string, standby: string}} now
 */
async function checkAfterRotation(life, before, now) {
  expectEqual(now.active, before.standby, 'the active hash');
  expect(now.standby !== before.active && now.standby !== before.standby,
    'the standby is not new');
  await connects(life, 'the new active', [now.active]);
  await connects(life, 'both new ones', [now.active, now.standby]);
  await connects(life, 'the standby of before', [before.standby]);
  await connects(life, 'both of before', [before.active, before.standby]);
  await isRefused(life, 'the active of before', [before.active]);
  await isRefused(life, 'the new standby', [now.standby]);
}

/** @returns {Promise<number>}  one that is free now */
async function freePort() {
  const socket = createSocket('udp4');
  try {
    await step('binding a port', new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.bind(0, '127.0.0.1', () => resolve(null));
    }));
    return socket.address().port;
  } finally {
    socket.close();
  }
}

/**
 * Ends the server as a power cut would.
 * @param {Life} life
 */
async function crash(life) {
  life.server.running.kill('SIGKILL');
  await step('it ends', life.server.running.exited);
  life.server.stop = async () => {};
}

/** @param {HashSet} set */
const identityOf = (set) => new URLSearchParams(new URL(set.link).hash.slice(1)).get('id');

/**
 * What a restart must not change.
 * @param {HashSet} set
 */
const kept = (set) => ({
  url: set.url, link: set.link, identity: set.identity, hashes: hashesByUse(set),
});

/** @type {LifecycleCase[]} */
export const LIFECYCLE_CASES = [
  {
    name: 'life-hashes',
    clients: ['chromium', 'firefox', 'deno'],
    run: (place) => live(place, {}, async (life) => {
      const before = hashesByUse(life.set);
      await connects(life, 'the active', [before.active]);
      await connects(life, 'both', [before.active, before.standby]);
      await connects(life, 'both the other way round', [before.standby, before.active]);
      await isRefused(life, 'the standby', [before.standby]);
      const session = await hold(life);
      await checkAfterRotation(life, before, await rotate(life));
      await session.echoes();
      await session.release();
    }),
  },

  {
    name: 'life-forced',
    clients: ['chromium'],
    run: (place) => live(place, {}, async (life) => {
      const session = await hold(life);
      const seen = new Set(Object.values(hashesByUse(life.set)));
      for (let i = 1; i <= ROTATIONS; i++) {
        const { standby } = await rotate(life);
        expect(!seen.has(standby), `rotation ${i}: the new standby is not new`);
        seen.add(standby);
        await named(`rotation ${i}`, session.echoes());
      }
      await connects(life, 'both', Object.values(hashesByUse(life.set)));
      await session.release();
    }),
  },
  {
    // From the present into the future: only who is there already can follow.
    name: 'life-natural',
    clients: ['chromium'],
    run: (place) => live(place, { args: ['--ephemeral', ...PROFILE] }, async (life) => {
      const session = await hold(life);
      const seen = new Set(Object.values(hashesByUse(life.set)));
      for (let i = 1; i <= ROTATIONS; i++) {
        await named(`rotation ${i}`, (async () => {
          const { standby } = await rotateNaturally(life);
          expect(!seen.has(standby), 'the new standby is not new');
          seen.add(standby);
          await session.echoes();
        })());
      }
      expect(life.clock.offset() > ROTATIONS * 6 * DAY, 'not even 300 days went by');
      const { counters } = await life.server.command({ command: 'status' });
      expectEqual(counters.rotations, ROTATIONS, 'rotations');
      await session.release();
    }),
  },

  {
    name: 'life-revoke',
    clients: ['chromium', 'firefox', 'deno'],
    run: (place) => live(place, {}, async (life) => {
      const first = await hold(life);
      const before = await rotate(life);
      const second = await hold(life);
      const over = second.isOver();
      over.catch(() => {});
      const now = await command(life, { command: 'revoke' });
      await over;
      expectEqual(now.active, before.standby, 'the active hash');
      expect(now.standby !== before.active, 'the revoked one is published');
      await connects(life, 'the standby of before', [before.standby]);
      await connects(life, 'both of before', [before.active, before.standby]);
      await isRefused(life, 'the revoked one', [before.active]);
      // Made under a certificate that nobody has revoked.
      await first.echoes();
      await first.release();
      await until('all sessions are over', async () =>
        (await life.server.command({ command: 'status' })).sessions.length === 0);
    }),
  },

  {
    name: 'life-reset',
    clients: ['chromium', 'deno'],
    run: (place) => live(place, {}, async (life) => {
      const before = life.set;
      const session = await hold(life);
      const over = session.isOver();
      over.catch(() => {});
      await command(life, { command: 'reset' });
      await over;
      const old = Object.values(hashesByUse(before));
      const now = Object.values(hashesByUse(life.set));
      expect(now.every((hex) => !old.includes(hex)), 'a certificate of before is published');
      expectEqual(life.set.identity, before.identity, 'the identity');
      expect(life.set.seq > before.seq, `the number went from ${before.seq} to ${life.set.seq}`);
      await isRefused(life, 'all that was published', old);
      await named('connecting with the new link', ask(life, 'link', { link: life.set.link }));
    }),
  },

  {
    // Six days old is what the link is when the clock has come to the present:
    // the server began half an hour before, which is the most that a rotation
    // comes later than after six days.
    name: 'life-old-link',
    clients: ['chromium', 'firefox', 'deno'],
    run: (place) => live(place, {
      args: ['--ephemeral', ...PROFILE], offset: -6 * DAY - HOUR / 2 - 1,
    }, async (life) => {
      life.clock.set(-6 * DAY);
      const { link } = await life.server.command({ command: 'hashes' });
      const old = parseLink(link).hashes;
      expectEqual(old, Object.values(hashesByUse(life.set)), 'the hashes in the link');
      life.clock.set(0);
      life.set = await until('the standby takes over when its time has come', async () => {
        const status = await life.server.command({ command: 'status' });
        return status.hashes.length === 2 && status.hashes[0].hex === old[1] && status;
      }, LOOKS_MS);
      await named('connecting with the link', ask(life, 'link', { link }));
      await checkAfterRotation(life, { active: old[0], standby: old[1] },
        hashesByUse(life.set));
    }),
  },

  {
    // Firefox refuses a certificate whose issuer and serial number it has seen
    // with another key.
    name: 'life-successors',
    clients: ['chromium', 'firefox'],
    run: (place) => live(place, {
      args: ['--ephemeral', ...PROFILE], offset: -6 * DAY,
    }, async (life) => {
      const before = hashesByUse(life.set);
      const session = await hold(life);
      await connects(life, 'the first', [before.active]);
      const now = await rotateNaturally(life);
      await connects(life, 'its successor', [now.active]);
      await checkAfterRotation(life, before, now);
      await session.echoes();
      await session.release();
    }),
  },

  {
    // With a link that is three days old, as far as the server can know.
    name: 'life-refusals',
    clients: ['chromium', 'firefox', 'deno'],
    run: (place) => live(place, { offset: -3 * DAY }, async (life) => {
      life.clock.set(0);
      const { active } = hashesByUse(life.set);
      await isRefused(life, 'a wrong hash', [WRONG]);
      const told = await until('the status tells of it', async () =>
        (await life.server.command({ command: 'status' })).refusals[0]);
      const { kind, by, certificate, text, count, time } = told;
      const want = REFUSALS[place.client.name];
      expectEqual([kind, by, certificate], [want.kind, want.by, active], 'the status says');
      expect(count >= 1 && Math.abs(time - Date.now() / 1000) < 600,
        `it came ${count} times, the last at ${time}`);
      expect(text.startsWith(`a ${want.who}client refused certificate ${active.slice(0, 8)}…: `)
        && text.endsWith(OLD_OR_WRONG), `it says: ${text}`);
      await connects(life, 'the active', [active]);
    }),
  },

  {
    name: 'life-feed',
    clients: ['chromium', 'firefox'],
    run: (place) => live(place, {}, async (life) => {
      const id = `feed-${++held}`;
      const identity = identityOf(life.set);
      expectEqual(identity, life.set.identity, 'the identity in the link');
      await ask(life, 'feed-open', { id });
      /** @type {number[]} */
      const seqs = [];
      for (let i = 0; i < 4; i++) {
        if (i > 0) await rotate(life);
        const { text, set } = await ask(life, 'feed-next', { id, identity });
        expectEqual(set.hashes.map((/** @type {any} */ it) => [it.use, it.hex]),
          Object.entries(hashesByUse(life.set)), 'the hashes');
        expectEqual([set.v, set.url, set.seq], [1, life.set.url, life.set.seq],
          'the version, the URL and the number');
        const { text: jws } = await life.server.command({ command: 'hashes', form: 'jws' });
        expectEqual(text, jws, 'the document');
        seqs.push(set.seq);
      }
      expect(seqs.every((seq, i) => i === 0 || seq > seqs[i - 1]), `the numbers are ${seqs}`);
      await ask(life, 'feed-close', { id });
    }),
  },

  {
    name: 'life-restart',
    clients: ['chromium', 'firefox'],
    async run(place) {
      const scratch = makeScratch('state');
      try {
        const args = ['--port', String(await freePort()),
          '--state', join(scratch.folder, 'state')];
        /** @type {HashSet | undefined} */
        let first;
        // Twice, once after it has ended as it should and once after a crash.
        for (const crashes of [false, true, false]) {
          await live(place, { args }, async (life) => {
            first ??= life.set;
            expectEqual(kept(life.set), kept(first), 'after the restart');
            await named('connecting with the first link',
              ask(life, 'link', { link: first.link }));
            if (crashes) await crash(life);
          });
        }
        // What the rotation before a crash has published is not lost either.
        await live(place, { args }, async (life) => {
          const before = hashesByUse(life.set);
          const now = await rotate(life);
          expectEqual(now.active, before.standby, 'the active hash');
          first = life.set;
          await crash(life);
        });
        await live(place, { args }, async (life) => {
          const want = /** @type {HashSet} */ (first);
          expectEqual(kept(life.set), kept(want), 'after the rotation and a crash');
          expect(life.set.seq >= want.seq, `the number went from ${want.seq} to ${life.set.seq}`);
          await named('connecting with its link', ask(life, 'link', { link: want.link }));
          // Nor comes back what was revoked.
          const before = hashesByUse(life.set);
          await command(life, { command: 'revoke' });
          first = life.set;
          expect(first.hashes.every((it) => it.hex !== before.active), 'it is published');
          await crash(life);
        });
        await live(place, { args }, async (life) => {
          const want = /** @type {HashSet} */ (first);
          expectEqual(life.set.hashes[0].hex, want.hashes[0].hex, 'after the revoke and a crash');
          await named('connecting with its link', ask(life, 'link', { link: want.link }));
        });
      } finally {
        scratch.remove();
      }
    },
  },
  {
    // Both hosts keep the same files.
    name: 'life-hosts',
    clients: ['deno'],
    async run(place) {
      const scratch = makeScratch('state');
      try {
        const args = ['--port', String(await freePort()),
          '--state', join(scratch.folder, 'state')];
        /** @type {HashSet | undefined} */
        let before;
        for (const kind of [place.kind, place.kind === native ? node : native, place.kind]) {
          await live({ ...place, kind }, { args }, async (life) => {
            if (before) {
              expectEqual(kept(life.set), kept(before), `what ${kind.name} has found`);
              await named('connecting with the link before',
                ask(life, 'link', { link: before.link }));
            }
            await rotate(life);
            before = life.set;
          });
        }
      } finally {
        scratch.remove();
      }
    },
  },

  {
    // A clock may make a certificate, but destroys none, and costs no session.
    name: 'life-wrong-clock',
    clients: ['chromium', 'deno'],
    run: (place) => live(place, {}, async (life) => {
      const { link } = life.set;
      const { active, standby } = hashesByUse(life.set);
      const session = await hold(life);
      const state = async () => (await life.server.command({ command: 'status' })).state;
      const linkConnects = (/** @type {string} */ when) =>
        named(`connecting with the first link ${when}`, ask(life, 'link', { link }));
      // Before the program was built: that is no time at all.
      life.clock.set(-20 * 365 * DAY);
      await linkConnects('twenty years ago');
      for (const [offset, when] of /** @type {const} */ ([
        [50 * 365 * DAY, 'fifty years on'], [-30 * DAY, 'a month ago'], [20 * DAY, '20 days on'],
      ])) {
        life.clock.set(offset);
        // Nothing that was known is valid, by that clock.
        await named(when, isRefused(life, 'what is not valid', [active, standby]));
        expect(await state() !== 'EXPIRED', `${when}: there is no certificate`);
        await named(when, session.echoes());
        life.clock.set(0);
        await linkConnects(`back from ${when}`);
        await session.echoes();
      }
      const set = await life.server.command({ command: 'hashes' });
      expectEqual(hashesByUse(set), { active, standby }, 'the hashes in the end');
      expectEqual(set.identity, life.set.identity, 'the identity');
      await session.release();
    }),
  },
];
