// SPDX-License-Identifier: Apache-2.0
/**
 * A year in the life of the Isolated Web App, whose clients live in another
 * browser: both have clocks that the test moves.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { launchClient, launchIwa } from '../../scripts/launch-iwa.mjs';
import { stageIwa } from '../../scripts/stage-iwa.mjs';
import { makeClocked } from './iwa_clocked.mjs';
import { app, client, clientPage, command, DAY, hexes, HOUR, PROFILE, reload } from './iwa_tools.mjs';
import { until } from './step.mjs';

/** @typedef {import('../../ui/server/types.d.ts').Slot} Slot */

const ROTATIONS = 50;

test('a year of the app', { timeout: 110_000 }, async (t) => {
  const server = makeClocked('app');
  t.after(() => server.remove());
  const others = makeClocked('clients');
  t.after(() => others.remove());
  const { folder } = stageIwa({ out: join(server.folder, 'staged') });
  const launch = () => launchIwa({ folder, headless: true, executablePath: server.executablePath,
    profileDir: join(server.folder, 'profile') });
  let iwa = await launch();
  t.after(() => iwa.close());
  const browser = await launchClient({ headless: true, executablePath: others.executablePath });
  t.after(() => browser.close());
  const a = await clientPage(browser.page);
  const b = await clientPage(browser.page);

  /** @param {number} seconds since 1970, on both clocks */
  const moveTo = (seconds) => {
    const ahead = Math.ceil(seconds) - server.clock.now();
    for (const { clock } of [server, others]) clock.move(ahead);
  };
  /** @returns {Promise<Slot[]>} the active and the standby */
  const slots = async () => {
    const status = await app(iwa.page, 'status');
    return hexes(status).map((hex) => status.certificates.slots.find((/** @type {Slot} */ slot) => slot.hex === hex));
  };
  /** By the link of the first day, and what they have learnt since. */
  const comes = async (/** @type {string} */ who) =>
    client(b, 'come', who, ready.link, (await app(iwa.page, 'status')).seq);
  const isReady = () => until('the standby is READY', async () => (await slots())[1]?.state === 'READY');

  const ready = await app(iwa.page, 'start', { port: 0, profile: PROFILE });
  const { url, port, identity } = ready;
  const [first, second] = hexes(ready);

  await t.test('clients come: one stays, others keep what they have learnt', async () => {
    await client(a, 'connect', 'a', url, first, second);
    assert.equal(await client(a, 'echo', 'a'), 'a');
    assert.equal(await comes('regular'), 'echoed');
    assert.equal(await comes('rare'), 'echoed');
    // Its time has not come.
    assert.equal(await client(a, 'refused', url, second), 'refused');
  });

  await t.test('six days later: the hashes that were kept are good', async () => {
    await isReady();
    const [active] = await slots();
    const ahead = active.active_until - server.clock.now();
    assert.ok(ahead > 6 * DAY - HOUR && ahead < 6 * DAY + HOUR, `the swap is in ${ahead} s`);
    moveTo(active.active_until);
    // It is the first to come, and has the certificate swapped.
    assert.equal(await client(b, 'come', 'regular', ready.link, ready.seq + 1), 'echoed');
    const [now, next] = await slots();
    assert.equal(now.hex, second);
    assert.notEqual(next.hex, first);
    await client(a, 'connect', 'c', url, second);
    assert.equal(await client(a, 'echo', 'c'), 'c');
    assert.equal(await client(a, 'echo', 'a'), 'a');
  });

  await t.test('the hash that has had its time is refused, and the app says why', async () => {
    assert.equal(await client(a, 'refused', url, first), 'refused');
    const why = await until('the app knows', async () =>
      (await app(iwa.page, 'status')).refusals.find((/** @type {any} */ { certificate }) => certificate === second));
    assert.match(why.text, new RegExp(`^a Chromium client refused certificate ${second.slice(0, 8)}…: its link is `
      + 'older than 6 days, or its clock is more than 7 days slow or more than 6 days fast'));
  });

  await t.test(`${ROTATIONS} rotations: who was there stays, who comes every time comes`, async () => {
    for (let i = 2; i <= ROTATIONS; i++) {
      const [active, standby] = await slots();
      // Past its time by so much that nothing waits for caches.
      moveTo(active.guard_from);
      assert.equal(await client(a, 'echo', 'a'), 'a', `rotation ${i}`);
      // It is served before the document that says so is there.
      await until(`rotation ${i}`, async () => (await slots())[0].hex === standby.hex);
      assert.equal(await comes('regular'), 'echoed', `rotation ${i}`);
    }
    const { certificates, closed } = await app(iwa.page, 'status');
    assert.equal(certificates.counters.rotations, ROTATIONS);
    assert.ok(server.clock.offset() > ROTATIONS * 6 * DAY, 'not even 300 days went by');
    assert.ok(closed.every((/** @type {any} */ end) => end.by === 'client'), JSON.stringify(closed));
  });

  await t.test('who has not come for a year is told what to do', async () => {
    const { code, message } = await comes('rare');
    assert.equal(code, 'link-too-old');
    assert.match(message, /^This link is too old: what it knows ran out [0-9]+ days ago\. Ask for a new one\.$/);
  });

  await t.test('a revoke closes what it must, at once, and nothing else', async () => {
    const before = hexes(await app(iwa.page, 'status'));
    await client(a, 'connect', 'd', url, before[0]);
    const over = client(a, 'end', 'd');
    const revoked = await command(iwa.page, 'revoke');
    await over;
    assert.equal(hexes(revoked)[0], before[1]);
    assert.ok(!hexes(revoked).includes(before[0]));
    // Made under the first, of which nothing is known.
    assert.equal(await client(a, 'echo', 'a'), 'a');
    assert.equal(await client(a, 'refused', url, before[0]), 'refused');
    assert.equal(await client(b, 'come', 'new', revoked.link, revoked.seq), 'echoed');
    // The standby was published long ago: who knew it comes as before.
    assert.equal(await comes('regular'), 'echoed');
  });

  for (const [what, again] of /** @type {const} */ ([
    ['a reload', () => reload(iwa.page)],
    ['the browser’s crash', async () => {
      await server.kill();
      await iwa.close();
      iwa = await launch();
    }],
  ])) {
    await t.test(`${what}: the same identity, the same hashes, and who knew them comes`, async () => {
      const before = await app(iwa.page, 'status');
      await again();
      const after = await app(iwa.page, 'start', { port, profile: PROFILE });
      assert.equal(after.identity, identity);
      assert.deepEqual(hexes(after), hexes(before));
      assert.equal(after.link, before.link);
      assert.equal(await comes('regular'), 'echoed');
    });
  }

  await t.test('the true time again: the app keeps what it has, and serves', async () => {
    const { hashes: [{ hex }] } = await app(iwa.page, 'status');
    for (const { clock } of [server, others]) clock.set(0);
    const now = await until('there is a certificate of today', async () => {
      const status = await app(iwa.page, 'status');
      return status.hashes[0]?.not_before * 1000 < Date.now() && status;
    });
    assert.equal(now.identity, identity);
    assert.ok(!hexes(now).includes(hex));
    await client(a, 'connect', 'f', url, ...hexes(now));
    assert.equal(await client(a, 'echo', 'f'), 'f');
  });
});
