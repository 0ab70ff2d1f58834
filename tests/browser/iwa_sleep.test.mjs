// SPDX-License-Identifier: Apache-2.0
/**
 * The Isolated Web App when nobody looks at it, when its page is busy, when the
 * browser freezes it, and when the whole machine is asleep.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { launchClient, launchIwa } from '../../scripts/launch-iwa.mjs';
import { stageIwa } from '../../scripts/stage-iwa.mjs';
import { makeClocked } from './iwa_clocked.mjs';
import { app, client, clientPage, DAY, hexes, HOUR, PROFILE } from './iwa_tools.mjs';
import { step, until } from './step.mjs';

/** @typedef {import('../../ui/server/types.d.ts').Slot} Slot */

/**
 * Octets that wait in the kernel for whoever has the UDP port.
 * @param {number} port
 */
function waiting(port) {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/udp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/));
  const row = rows.find((columns) => columns[1]?.endsWith(end));
  if (!row) throw new Error(`nobody has port ${port}`);
  return parseInt(row[4].split(':')[1], 16);
}

test('nobody looks at the app', { timeout: 110_000 }, async (t) => {
  const server = makeClocked('app');
  t.after(() => server.remove());
  const others = makeClocked('clients');
  t.after(() => others.remove());
  const { folder } = stageIwa({ out: join(server.folder, 'staged') });
  const iwa = await launchIwa({ folder, headless: true, executablePath: server.executablePath });
  t.after(() => iwa.close());
  const browser = await launchClient({ headless: true, executablePath: others.executablePath });
  t.after(() => browser.close());
  const page = await clientPage(browser.page);
  const cdp = await iwa.context.newCDPSession(iwa.page);

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
  let comers = 0;
  const comes = async (/** @type {string[]} */ ...hashes) => {
    const name = `comer ${++comers}`;
    await client(page, 'connect', name, url, ...hashes);
    assert.equal(await client(page, 'echo', name), name);
  };

  const { url, port, ...published } = await app(iwa.page, 'start', { port: 0, profile: PROFILE });
  await client(page, 'connect', 'stays', url, ...hexes(published));

  await t.test('minimised and hidden: who is there stays, who comes is served, and the certificate is swapped', async () => {
    // Playwright has the browser treat its pages as if they were looked at.
    const { _client } = /** @type {any} */ (iwa.page)._connection.toImpl(iwa.page).delegate._mainFrameSession;
    await _client.send('Emulation.setFocusEmulationEnabled', { enabled: false });
    const { windowId } = await cdp.send('Browser.getWindowForTarget');
    const setWindow = (/** @type {'minimized'|'normal'} */ windowState) =>
      cdp.send('Browser.setWindowBounds', { windowId, bounds: { windowState } });
    const becomes = (/** @type {string} */ state) => until(`the page is ${state}`,
      () => iwa.page.evaluate((state) => document.visibilityState === state, state));
    await setWindow('minimized');
    await becomes('hidden');
    assert.equal(await client(page, 'echo', 'stays'), 'stays');
    await until('the standby is READY', async () => (await slots())[1]?.state === 'READY');
    const [active, standby] = await slots();
    await comes(active.hex);
    moveTo(active.active_until);
    await comes(standby.hex);
    assert.equal(await client(page, 'echo', 'stays'), 'stays');
    await becomes('hidden');
    await setWindow('normal');
    await becomes('visible');
  });

  await t.test('the page is busy for three seconds: who is there stays, who comes is served', async () => {
    const [active] = await slots();
    const begun = iwa.page.waitForEvent('console', (message) => message.text() === 'busy');
    // Until the test says so, by the clock; and no shorter than that.
    const busy = iwa.page.evaluate((ms) => {
      console.log('busy');
      const [wall, mono] = [Date.now(), performance.now()];
      while (Date.now() - wall < ms || performance.now() - mono < 3000);
      return performance.now() - mono;
    }, HOUR * 1000);
    let over = false;
    busy.finally(() => { over = true; }).catch(() => {});
    await begun;
    for (let i = 0; i < 3; i++) {
      assert.equal(await client(page, 'echo', 'stays'), 'stays');
      await comes(active.hex);
    }
    assert.ok(!over, 'the page has come back by itself');
    moveTo(server.clock.now() + HOUR);
    assert.ok(await step('the page comes back', busy) >= 3000);
    assert.equal(hexes(await app(iwa.page, 'status'))[0], active.hex);
  });

  /** @type {string[]} what clients were shown that could not know it */
  const shown = [];
  await iwa.page.evaluate(() => {
    document.addEventListener('freeze', () => { document.documentElement.dataset.frozen = 'once'; });
  });
  for (const [what, stop, go] of /** @type {const} */ ([
    ['a frozen tab', () => cdp.send('Page.setWebLifecycleState', { state: 'frozen' }),
      () => cdp.send('Page.setWebLifecycleState', { state: 'active' })],
    ['a machine that was asleep', async () => server.pause(), async () => server.resume()],
  ])) {
    // A frozen worker's packets have left the kernel: there is nothing to be
    // seen of them.
    const isAsleep = what !== 'a frozen tab';
    const comesIn = () => until('an Initial waits', () => !isAsleep || waiting(port) >= 1200);

    await t.test(`${what}: the certificate has run out, and the first to come gets the standby`, async () => {
      const [active, standby] = await slots();
      await stop();
      assert.ok(active.not_after < standby.not_after);
      moveTo(active.not_after + 1);
      const comer = comes(active.hex, standby.hex);
      comer.catch(() => {});
      await comesIn();
      await go();
      await comer;
      assert.equal((await slots())[0].hex, standby.hex);
      assert.equal(await client(page, 'echo', 'stays'), 'stays');
    });

    await t.test(`${what}: all that was known has run out, and a new one is made`, async () => {
      const old = await slots();
      await stop();
      moveTo(Math.max(...old.map(({ not_after }) => not_after)) + 2 * DAY);
      const refused = client(page, 'refused', url, ...old.map(({ hex }) => hex));
      refused.catch(() => {});
      await comesIn();
      await go();
      assert.equal(await refused, 'refused');
      const [active] = await slots();
      assert.ok(active.not_before < server.clock.now() && server.clock.now() < active.not_after);
      await comes(active.hex);
      assert.equal(await client(page, 'echo', 'stays'), 'stays');
      shown.push(active.hex);
    });
  }

  await t.test('nobody was shown a certificate that had run out', async () => {
    assert.equal(await iwa.page.evaluate(() => document.documentElement.dataset.frozen), 'once');
    // A refusal names the certificate that was shown, once the connection is over.
    const refusals = await until('the app knows what was refused', async () => {
      const { refusals } = await app(iwa.page, 'status');
      return refusals.length >= shown.length && refusals;
    });
    assert.deepEqual(refusals.map((/** @type {any} */ { certificate }) => certificate).toSorted(), shown.toSorted());
  });
});
