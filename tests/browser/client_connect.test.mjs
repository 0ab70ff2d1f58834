// SPDX-License-Identifier: Apache-2.0
/**
 * ui/client/fortnight.js against real servers, in Chromium, Firefox and Deno.
 * The clients' clock is the true one: it is the server's that is moved.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { parseLink, verifyDocument } from '../../ui/client/fortnight.js';
import { startChromium } from './clients/chromium.mjs';
import { findProgram } from './clients/client.mjs';
import { startDeno } from './clients/deno.mjs';
import { startFirefox } from './clients/firefox.mjs';
import { ask, live, makeCertificate, nobody, serveMirror, servePages } from './client_harness.mjs';
import { makeScratch } from './process.mjs';
import { node } from './servers/node.mjs';
import { hashesByUse, ROOT } from './servers/server.mjs';
import { native } from './servers/native.mjs';
import { until } from './step.mjs';

const DAY = 86400;
const HOUR = 3600;

/** A standby is READY at once, as far as the clock that does not move goes. */
const PROFILE = ['--profile', 'hot-standby,max-age=1s'];

/** A server looks at its clock once a minute at the latest. */
const LOOKS_MS = 90_000;

/** Short, so that a test of reconnecting is. */
const AGAIN = { first: 20, most: 200 };

/** @type {import('./client_harness.mjs').Pages} */
let pages;
const scratch = makeScratch('client');
const certificate = makeCertificate();

before(async () => { pages = await servePages(); });
after(() => {
  pages.close();
  scratch.remove();
});

const STARTS = {
  chromium: () => startChromium(`${pages.origin}/`),
  firefox: () => startFirefox(`${pages.origin}/`),
  deno: () => {
    const file = join(scratch.folder, 'certificate.pem');
    writeFileSync(file, certificate.pem);
    return startDeno(fileURLToPath(new URL('client_page.mjs', import.meta.url)), ['--cert', file]);
  },
};

let last = 0;
const fresh = () => `t${++last}`;

/** @param {string} identity */
const key = (identity) => `fortnight:${identity}`;

/**
 * What the client has kept.
 * @param {string | null} text
 * @param {string} identity
 */
async function read(text, identity) {
  assert.ok(text, 'nothing is kept');
  const { v, jws, retired } = JSON.parse(text);
  assert.equal(v, 1);
  return { jws, retired, set: await verifyDocument(jws, identity, { expired: true }) };
}

for (const [name, begin] of Object.entries(STARTS)) {
  describe(name, { timeout: 300_000 }, () => {
    /** @type {import('./clients/client.mjs').Client} */
    let client;
    const isDeno = name === 'deno';
    /** Deno has no localStorage here; and another store is a case of its own. */
    const own = isDeno;

    let failed = false;

    before(async () => { client = await begin(); });
    afterEach((context) => { failed ||= /** @type {any} */ (context).passed === false; });
    after(async () => {
      await client.stop();
      if (failed) {
        const folder = join(ROOT, 'build/artifacts/client', name);
        mkdirSync(folder, { recursive: true });
        await client.keep(folder);
      }
      client.remove();
    });

    /**
     * @param {string} name
     * @param {object} [params]
     * @param {number} [ms]
     */
    const tell = (name, params, ms) => ask(client, name, params, ms);

    /**
     * @param {string} link
     * @param {object} [options]
     */
    const connects = async (link, options) => {
      const id = fresh();
      await tell('connect', { id, link, options: { own, time: null, ...options } });
      assert.equal(await tell('echo', { id, text: 'hello' }), 'hello');
      await tell('close', { id });
    };

    /**
     * @param {string} link
     * @param {object} options
     * @param {string} code
     * @param {RegExp} sentence
     */
    const fails = async (link, options, code, sentence) => {
      const error = await tell('fails', { link, options: { own, time: null, ...options } });
      assert.equal(error.ours, true, JSON.stringify(error));
      assert.equal(error.code, code, JSON.stringify(error));
      assert.match(error.message, sentence);
      return error;
    };

    for (const kind of name === 'chromium' ? [native, node] : [native]) {
      test(`by the link: a WebTransport, with all that it has (${kind.name})`, () => live({ kind }, async ({ link, ask, identity }) => {
        const id = fresh();
        await tell('connect', { id, link, options: { own, path: '/echo?uni=3' } });
        const text = 'x'.repeat(50_000);
        assert.equal(await tell('echo', { id, text }), text);
        assert.ok(await tell('datagram', { id, text: 'over there' }) >= 1000);
        assert.deepEqual(await tell('incoming', { id, n: 3 }), ['hello', 'hello', 'hello']);
        const { state, link: now, native: real, reliability, told } = await tell('look', { id });
        assert.deepEqual([state, now, real, reliability], ['connected', link.replace('/echo#', '/echo#'), true, 'supports-unreliable']);
        assert.deepEqual(told.map((/** @type {any} */ it) => it.state), ['connected']);
        await until('the feed is followed', async () =>
          (await ask('status')).sessions.some((/** @type {any} */ it) => it.path === '/.fortnight/hashes'));
        await tell('learns', { id, hex: hashesByUse(await ask('hashes')).active });
        const { set } = await read(await tell('kept', { key: key(identity), own }), identity);
        assert.equal(set.hashes[0].hex, hashesByUse(await ask('hashes')).active);
        const info = await tell('close', { id, closeCode: 7, reason: 'done' });
        // Deno's own |closed| tells neither.
        if (!isDeno) assert.deepEqual(info, { closeCode: 7, reason: 'done' });
        await until('both sessions are over', async () => (await ask('status')).sessions.length === 0);
      }));
    }

    test('a link that is six days old, and what was learnt then', () => live({
      args: ['--ephemeral', ...PROFILE], offset: -6 * DAY - HOUR / 2 - 1,
    }, async ({ clock, ask }) => {
      clock.set(-6 * DAY);
      const { link } = await ask('hashes');
      const standby = parseLink(link).hashes[1];
      const id = fresh();
      await tell('connect', { id, link, options: { own } });
      await tell('learns', { id, hex: hashesByUse(await ask('hashes')).active });
      await tell('close', { id });
      clock.set(0);
      await until('the standby takes over when its time has come', async () =>
        (await ask('hashes')).hashes[0].b64url === standby, LOOKS_MS);
      await connects(link, { storage: null, own: false });
      // With a link of before that, by what is kept alone.
      await client.reload?.();
      const older = link.replace(/wt=[^&]+/, `wt=${'C'.repeat(42)}A`);
      await connects(older);
      await fails(older, { storage: null, own: false }, isDeno ? 'link-too-old' : 'no-connection', /too old/);
      await fails(link.replace(`.${standby}`, ''), { storage: null, own: false }, isDeno ? 'link-too-old' : 'no-connection', /too old/);
    }));

    test('rotations while connected; then a link that knows none of them', () => live({}, async ({ link, rotate, ask, identity }) => {
      const id = fresh();
      await tell('connect', { id, link, options: { own } });
      for (let i = 0; i < 4; i++) {
        const { active } = hashesByUse(await rotate());
        await tell('learns', { id, hex: active });
        assert.equal(await tell('echo', { id, text: `round ${i}` }), `round ${i}`);
      }
      const { told, link: now } = await tell('look', { id });
      assert.deepEqual(told.map((/** @type {any} */ it) => it.state), ['connected'], 'it stayed');
      assert.deepEqual(parseLink(now).hashes, (await ask('hashes')).hashes.map((/** @type {any} */ it) => it.b64url));
      await tell('close', { id });
      // As after a day: another page, and only what is kept.
      await client.reload?.();
      await connects(link);
      const { set, retired } = await read(await tell('kept', { key: key(identity), own }), identity);
      assert.ok(parseLink(link).hashes.every((it) => retired.includes(it)), 'the link’s hashes are known to be old');
      // Without, the link is what it says.  Deno alone tells why it was refused.
      const error = await fails(link, { storage: null, own: false }, isDeno ? 'link-too-old' : 'no-connection', /too old/);
      assert.ok(isDeno || error.maybe.includes('link-too-old'));
      // The link of today is good without anything kept.
      await connects(now, { storage: null, own: false });
      assert.equal(set.seq, (await ask('hashes')).seq);
    }));

    test('the server is restarted: datagrams and streams go on', async () => {
      const state = ['--state', join(scratch.folder, `state-${name}`)];
      const id = fresh();
      let args = state;
      await live({ args }, async ({ link, server }) => {
        args = [...state, '--port', new URL(server.ready.url).port];
        await tell('connect', { id, link, options: { own, reconnect: AGAIN } });
        await tell('datagram', { id, text: 'one' });
      });
      await tell('trouble', { id, code: 'lost' });
      await live({ args }, async ({ rotate }) => {
        await tell('sessions', { id, n: 2 });
        await tell('datagram', { id, text: 'two' });
        assert.equal(await tell('echo', { id, text: 'three' }), 'three');
        await tell('learns', { id, hex: hashesByUse(await rotate()).active });
        const { told } = await tell('look', { id });
        assert.equal(told[1].state, 'reconnecting');
        assert.ok(told[1].retryIn >= 10 && told[1].retryIn <= 20, `again in ${told[1].retryIn} ms`);
        await tell('close', { id });
      });
      // The same without reconnecting.
      await live({ args }, async ({ link, server }) => {
        await tell('connect', { id, link, options: { own } });
        const over = tell('ends', { id });
        over.catch(() => {});
        await server.stop();
        const { info, code } = await over;
        // Deno does not read why.
        if (isDeno) assert.equal(code, 'lost');
        else assert.deepEqual(info, { closeCode: 0, reason: 'the server stops' });
        server.stop = async () => {};
      });
    });

    // Chromium (156) loses its network service, and with it all connections, to
    // CONNECTION_CLOSE at the wrong moment (server/appliance_stop.c).
    test('a server stops while the page connects: another one’s session stays', () => live({}, async ({ link }) => {
      const id = fresh();
      await tell('connect', { id, link, options: { own } });
      /** @type {Promise<any>[]} */
      const comes = [];
      for (let i = 0; i < 12; i++) {
        await live({}, async ({ link: theirs }) => {
          // It fails or does not: as far as it comes.
          comes.push(tell('fails', { link: theirs, options: { own, time: null, follow: false } }).catch(() => {}));
          await new Promise((resolve) => { setTimeout(resolve, 2 * i); });
        });
      }
      await Promise.all(comes);
      assert.equal(await tell('echo', { id, text: 'still here' }), 'still here');
      assert.deepEqual((await tell('look', { id })).told.map((/** @type {any} */ it) => it.state), ['connected']);
      await tell('close', { id });
    }));

    test('revoked: the session goes, the next hash is known', () => live({}, async ({ link: given, ask, identity }) => {
      const id = fresh();
      // With one more, of which the server does not know.
      const more = 'B'.repeat(42) + 'A';
      const link = given.replace('&id=', `.${more}&id=`);
      await tell('connect', { id, link, options: { own, reconnect: AGAIN } });
      const before = hashesByUse(await ask('hashes'));
      await tell('learns', { id, hex: before.active });
      const now = hashesByUse(await ask('revoke'));
      assert.equal(now.active, before.standby);
      await tell('sessions', { id, n: 2 });
      await tell('learns', { id, hex: now.active });
      await tell('close', { id });
      const { retired, set } = await read(await tell('kept', { key: key(identity), own }), identity);
      assert.deepEqual(set.hashes.map((it) => it.hex), [now.active, now.standby]);
      // The link has it still; it is not taken any more.
      const [first, second] = parseLink(link).hashes;
      assert.ok(retired.includes(first) && retired.includes(more) && !retired.includes(second), String(retired));
      await connects(link);
    }));

    test('begun anew: the mirror tells, or a sentence', () => live({}, async ({ link, ask, identity, jws }) => {
      const id = fresh();
      const mirror = `${pages.origin}/mirror`;
      await tell('connect', { id, link, options: { own } });
      await tell('learns', { id, hex: hashesByUse(await ask('hashes')).active });
      const old = await jws();
      await ask('reset');
      const code = isDeno ? 'link-too-old' : 'not-reachable';
      const error = await fails(link, {}, code, /ask for a new link|Ask for a new one/i);
      assert.equal(error.temporary, !isDeno);

      pages.mirror = { status: 200, body: old };
      assert.equal((await fails(link, { mirror }, code, /mirror at .* knows nothing newer/)).cause, 'document-older');
      pages.mirror = { status: 200, body: await jws() };
      await connects(link, { mirror });
      const { set } = await read(await tell('kept', { key: key(identity), own }), identity);
      assert.equal(set.epoch, 2);
      // Played back later: epoch 1 is over.
      pages.mirror = { status: 200, body: old };
      await connects(link, { mirror });
      await fails(link, { mirror, path: '/nothing' }, 'refused', /\/nothing/);
      assert.deepEqual((await read(await tell('kept', { key: key(identity), own }), identity)).set, set);
    }));

    test('an old link with a mirror', () => live({ args: ['--ephemeral', '--mirror', 'https://127.0.0.1:1/'] }, async ({ link, rotate, jws, identity }) => {
      const old = await jws();
      await rotate();
      await rotate();
      const now = await jws();
      const mirror = `${pages.origin}/mirror`;
      const code = isDeno ? 'link-too-old' : 'no-connection';
      /** @type {[number, string | Buffer, string, RegExp][]} */
      const bad = [
        [404, now, 'mirror-unreachable', /does not answer/],
        [200, '', 'document-malformed', /not from this server/],
        [200, 'hello', 'document-malformed', /not from this server/],
        [200, now.slice(0, -1), 'document-malformed', /not from this server/],
        [200, `${now.slice(0, -3)}AAA`, 'document-signature', /not from this server/],
        [200, `${now.slice(0, -40)}${'A'.repeat(38)}${now.slice(-2)}`, 'document-signature', /not from this server/],
        [200, Buffer.alloc(8 << 20, 'A'), 'document-malformed', /not from this server/],
        [200, Buffer.from([0xff, 0xfe, 0]), 'document-malformed', /not from this server/],
      ];
      for (const [status, body, cause, sentence] of bad) {
        pages.mirror = { status, body };
        const error = await fails(link, { mirror, storage: null, own: false }, code, sentence);
        assert.equal(error.cause, cause, error.message);
      }
      // No end in sight.
      pages.mirror = { status: 200, body: 'A'.repeat(1000), endless: true };
      assert.equal((await fails(link, { mirror, storage: null, own: false }, code, /not from this server/)).cause, 'document-malformed');
      // Genuine, and another server's.
      await live({}, async (other) => {
        pages.mirror = { status: 200, body: await other.jws() };
        const error = await fails(link, { mirror, storage: null, own: false }, code, /not from this server/);
        assert.equal(error.cause, 'document-identity');
      });
      // Genuine, and as old as the link.
      pages.mirror = { status: 200, body: old };
      await fails(link, { mirror, storage: null, own: false }, isDeno ? code : 'not-reachable', /new (one|link)/);
      // With a line end, as a file may have.
      pages.mirror = { status: 200, body: `${now}\n` };
      await connects(link, { mirror, storage: null, own: false });
      // The one that the link names, by https.
      if (isDeno) {
        const named = await serveMirror(certificate, now);
        try {
          const at = `${link.slice(0, link.indexOf('&mirror='))}&mirror=${encodeURIComponent(named.url)}`;
          assert.equal(parseLink(at).mirror, named.url);
          await connects(at);
          assert.equal(named.asked(), 1);
          assert.equal((await read(await tell('kept', { key: key(identity), own }), identity)).jws, now);
        } finally {
          named.close();
        }
      }
    }));

    test('what is kept ran out: a sentence, or the mirror', () => live({
      args: ['--ephemeral', ...PROFILE], offset: -20 * DAY,
    }, async ({ clock, link, jws, ask, identity }) => {
      const old = await jws();
      clock.set(0);
      await until('new certificates are there', async () =>
        !parseLink(link).hashes.includes((await ask('hashes')).hashes[0]?.b64url), LOOKS_MS);
      await tell('kept', { key: key(identity), own, value: JSON.stringify({ v: 1, jws: old, retired: [] }) });
      await fails(link, {}, 'link-too-old', /^This link is too old: what it knows ran out 8 days ago\. Ask for a new one\.$/);
      const mirror = `${pages.origin}/mirror`;
      pages.mirror = { status: 200, body: old };
      assert.equal((await fails(link, { mirror }, 'link-too-old', /is too old as well/)).cause, 'document-expired');
      pages.mirror = { status: 503, body: '' };
      assert.equal((await fails(link, { mirror }, 'link-too-old', /does not answer/)).temporary, true);
      pages.mirror = { status: 200, body: await jws() };
      await connects(link, { mirror });
    }));

    test('what others have written into the storage', () => live({}, async ({ link, identity, rotate, jws }) => {
      const { link: other, foreign } = await new Promise((resolve, reject) => {
        live({}, async (it) => { resolve({ link: it.link, foreign: await it.jws() }); }).catch(reject);
      });
      assert.notEqual(other, link);
      for (const value of ['', '{', 'null', '7', '[]', '{"v":1,"jws":7}', JSON.stringify({ v: 1, jws: foreign, retired: parseLink(link).hashes }),
        JSON.stringify({ v: 1, jws: 'x.y.z', retired: 'a' }), 'x'.repeat(100_000)]) {
        await tell('kept', { key: key(identity), own, value });
        await connects(link, { follow: false });
      }
      // Genuine, but with nonsense beside it.
      await rotate();
      await tell('kept', { key: key(identity), own, value: JSON.stringify({ v: 1, jws: await jws(), retired: [null, {}, 'x', ['y']] }) });
      await connects(link);
    }));

    test('a wrong clock', async () => {
      await live({ offset: 10 * DAY }, async ({ link, jws }) => {
        pages.skew = 10 * DAY;
        await fails(link, { time: `${pages.origin}/` }, 'clock-wrong', /^The clock of this device is 10 days slow\. Set it, and try again\.$/);
        if (!isDeno) await fails(link, { time: undefined }, 'clock-wrong', /10 days slow/);
        pages.skew = 0;
        // No clock to compare with, but a document from the future.
        pages.mirror = { status: 200, body: await jws() };
        await fails(link, { mirror: `${pages.origin}/mirror` }, 'clock-wrong', /10 days slow/);
      });
      await live({ offset: -20 * DAY }, async ({ link }) => {
        pages.skew = -20 * DAY;
        await fails(link, { time: `${pages.origin}/` }, 'clock-wrong', /20 days fast/);
        pages.skew = 0;
        // A clock that is right is not blamed.
        await fails(link, { time: `${pages.origin}/` }, isDeno ? 'link-too-old' : 'no-connection', /too old/);
      });
    });

    test('nobody there', () => live({}, async ({ link, jws, identity }) => {
      const hash = link.slice(link.indexOf('#'));
      const silent = await nobody(true);
      const error = await fails(`https://127.0.0.1:${silent.port}/echo${hash}`, { timeout: 1500 }, 'not-reachable',
        new RegExp(`^Nothing answers at 127\\.0\\.0\\.1:${silent.port}\\. `));
      assert.equal(error.temporary, true);
      silent.close();
      const closed = await nobody(false);
      const at = `https://127.0.0.1:${closed.port}/echo${hash}`;
      // Chromium alone heeds that the port is told to be closed, but not to us.
      const heeds = name === 'chromium';
      await fails(at, heeds ? {} : { timeout: 1500 }, heeds ? 'no-connection' : 'not-reachable',
        new RegExp(`127\\.0\\.0\\.1:${closed.port}`));
      // It has moved, as its identity says.
      await tell('kept', { key: key(identity), own, value: JSON.stringify({ v: 1, jws: await jws(), retired: [] }) });
      await connects(at, { timeout: 1500 });
      // But nobody is led to their own device by a link that is not of it.
      await fails(`https://nobody.invalid:${closed.port}/echo${hash}`, { timeout: 1500 }, 'not-reachable', /nobody\.invalid/);
    }));

    test('the server does not want it', async () => {
      await live({}, async ({ link }) => {
        const error = await fails(link, { path: '/nothing' }, 'refused', /refuses \/nothing/);
        assert.equal(error.temporary, false);
      });
      await live({ args: ['--ephemeral', '--origin', 'https://example.org'] }, async ({ link }) => {
        const error = await fails(link, {}, isDeno ? 'refused' : 'no-connection', /127\.0\.0\.1/);
        assert.ok(isDeno || error.maybe.includes('refused'));
      });
    });

    test('no link, and no identity in it', () => live({}, async ({ link, ask }) => {
      await fails('https://127.0.0.1/', {}, 'bad-link', /not a whole Fortnight link/);
      const id = fresh();
      await tell('connect', { id, link: link.slice(0, link.indexOf('&id=')), options: { own } });
      assert.equal(await tell('echo', { id, text: 'hello' }), 'hello');
      assert.equal((await ask('status')).sessions.length, 1, 'nothing can be verified, so nothing is followed');
      await tell('close', { id });
    }));

    test('given up while it tries', async () => {
      const silent = await nobody(true);
      const id = fresh();
      await tell('connect', { id, link: `https://127.0.0.1:${silent.port}/#wt=${'A'.repeat(43)}`, options: { own, later: true, reconnect: true } });
      assert.deepEqual(await tell('close', { id, closeCode: 0, reason: '' }), { closeCode: 0, reason: '' });
      silent.close();
    });
  });
}

describe('a page that may not', { timeout: 60_000 }, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  let origin = '';

  // For Chromium the page is one of the public network, and a secure one.
  before(async () => {
    const { port } = new URL(pages.origin);
    origin = `http://page.example:${port}`;
    browser = await chromium.launch({
      executablePath: findProgram(process.env.CHROMIUM, ['chromium', 'chromium-browser']),
      env: scratch.env,
      args: ['--no-sandbox', '--host-resolver-rules=MAP page.example 127.0.0.1',
        `--unsafely-treat-insecure-origin-as-secure=${origin}`, `--ip-address-space-overrides=127.0.0.1:${port}=public`],
    });
  });
  after(() => browser.close());

  /**
   * @param {string} path
   * @param {string[] | null} granted  null: nobody was asked
   * @param {string} link
   */
  async function attempt(path, granted, link) {
    const context = await browser.newContext();
    try {
      if (granted) await context.grantPermissions(granted, { origin });
      const page = await context.newPage();
      await page.goto(origin + path);
      await page.waitForFunction(() => document.title === 'ready');
      return await page.evaluate((link) => /** @type {any} */ (globalThis).answer('fails', { link }), link);
    } finally {
      await context.close();
    }
  }

  test('the browser’s user does not let it into the local network', () => live({}, async ({ link }) => {
    for (const granted of [null, []]) {
      const { result } = await attempt('/', granted, link);
      assert.equal(result.code, 'permission-denied');
      assert.match(result.message, /^The browser does not let this page reach other apps on this device\. Allow it /);
    }
    assert.match((await attempt('/', ['local-network-access'], link)).error, /it is connected/);
  }));

  test('its own policy forbids it', () => live({}, async ({ link }) => {
    const { result } = await attempt('/strict', ['local-network-access'], link);
    assert.equal(result.code, 'page-policy');
    assert.match(result.message, /Content-Security-Policy/);
  }));
});
