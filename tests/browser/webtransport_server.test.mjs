// SPDX-License-Identifier: Apache-2.0
/**
 * WebTransportServer: sessions that JavaScript serves, on Node.js, through the
 * same ports as in the web app, with Chromium as the client.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchClient } from '../../scripts/launch-iwa.mjs';
import { WebTransportServer } from '../../ui/server/webtransport_server.js';
import { nodePort } from './node_port.mjs';

/**
 * @typedef {import('../../ui/server/webtransport_server.js').WebTransportSession} Session
 * @typedef {Awaited<ReturnType<typeof launchClient>>} Browser
 */

const OPTIONS = { port: 0, address: '127.0.0.1', ephemeral: true, hosts: ['127.0.0.1'] };

/** @type {WebTransportServer} */
let server;
/** @type {Browser} */
let browser;
/** @type {Map<string, (session: Session) => unknown>} by the path */
const handlers = new Map();

/** Answers each session as its path says. */
async function serve() {
  for await (const session of server.sessions) {
    const handler = handlers.get(session.path.split('?')[0]);
    if (handler) handler(session);
    else session.reject(404);
  }
}

before(async () => {
  server = await WebTransportServer.listen({ ...OPTIONS, endpoint: await nodePort() });
  served = serve();
  browser = await launchClient({ headless: true });
  await browser.page.evaluate(() => Object.assign(globalThis, {
    connect(/** @type {string} */ url, /** @type {number[][]} */ hashes, /** @type {object} */ options) {
      return new WebTransport(url, { ...options, serverCertificateHashes: hashes.map((hash) =>
        ({ algorithm: 'sha-256', value: Uint8Array.from(hash) })) });
    },
    async readAll(/** @type {ReadableStream<Uint8Array>} */ readable) {
      return new Uint8Array(await new Response(readable).arrayBuffer());
    },
    bytes: (/** @type {number} */ n, /** @type {number} */ seed) => new Uint8Array(n).map((_, i) => (i * 7 + seed) % 251),
  }));
});

/** @type {Promise<void>} */
let served;

after(async () => {
  await browser?.close();
  await server?.close();
  await served;
});

/**
 * Runs |script| in the client's page with a session on |path| as `wt`.
 * @param {string} path
 * @param {string} script the body of an async function; what it returns is cloned
 * @param {{options?: object, ready?: boolean, on?: WebTransportServer}} [how]
 * @returns {Promise<any>}
 */
function client(path, script, { options = {}, ready = true, on = server } = {}) {
  const hashes = on.certificates.hashes.map(({ value }) => [...value]);
  const url = `https://127.0.0.1:${on.port}${path}`;
  return browser.page.evaluate(`(async () => {
    const wt = connect(${JSON.stringify(url)}, ${JSON.stringify(hashes)}, ${JSON.stringify(options)});
    ${ready ? 'await wt.ready;' : ''}
    try { ${script} } finally { wt.closed.catch(() => {}); try { wt.close(); } catch {} }
  })()`);
}

/** @param {ReadableStream<Uint8Array>} readable */
async function readAll(readable) {
  return new Uint8Array(await new Response(/** @type {any} */ (readable)).arrayBuffer());
}

/**
 * @param {number} n
 * @param {number} seed
 */
const bytes = (n, seed) => new Uint8Array(n).map((_, i) => (i * 7 + seed) % 251);

/**
 * The first session on |path|, accepted.
 * @param {string} path
 * @returns {Promise<Session>}
 */
const sessionOn = (path) => new Promise((resolve) => {
  handlers.set(path, async (session) => {
    await session.accept();
    resolve(session);
  });
});

/**
 * @template T
 * @param {ReadableStream<T>} readable
 * @returns {Promise<T>}
 */
async function first(readable) {
  const reader = readable.getReader();
  const { value, done } = await reader.read();
  assert.equal(done, false);
  reader.releaseLock();
  return /** @type {T} */ (value);
}

const T = { timeout: 60_000 };

test('what a session tells of its client', T, async () => {
  const told = new Promise((resolve) => {
    handlers.set('/who', async (session) => {
      const { path, origin, peer, authority, headers, protocols, protocol } = session;
      resolve({ path, origin, peer, authority, protocols, protocol, header: headers.get('origin') });
      await session.accept({ protocol: session.protocols[1] });
    });
  });
  const protocol = await client('/who?name=x', 'return wt.protocol;', { options: { protocols: ['one', 'two"2'] } });
  const who = await told;
  assert.equal(who.path, '/who?name=x');
  assert.equal(who.authority, `127.0.0.1:${server.port}`);
  assert.equal(who.origin, new URL(browser.page.url()).origin);
  assert.equal(who.header, who.origin);
  assert.match(who.peer, /^127\.0\.0\.1:\d+$/);
  assert.equal(who.protocol, '');
  // Browsers that do not know of protocols offer none.
  if (who.protocols.length > 0) {
    assert.deepEqual(who.protocols, ['one', 'two"2']);
    assert.equal(protocol, 'two"2');
  }
});

test('accept() and reject()', T, async () => {
  const refused = await client('/nobody', 'return await wt.ready.then(() => "served", () => "refused");', { ready: false });
  assert.equal(refused, 'refused');
  /** @type {Session|undefined} */
  let kept;
  handlers.set('/later', (session) => { kept = session; });
  const asked = client('/later', 'return "served";');
  while (!kept) await server.stats;
  assert.throws(() => kept?.reject(200), RangeError);
  assert.throws(() => kept?.accept({ protocol: 'never offered' }), TypeError);
  const early = kept.createUnidirectionalStream().catch((error) => error);
  await kept.accept();
  assert.equal(await asked, 'served');
  kept.reject(403);
  await kept.closed;
  await early;

  const gone = new Promise((resolve) => { handlers.set('/no', resolve); });
  const no = client('/no', 'return await wt.ready.then(() => "served", () => "refused");', { ready: false });
  /** @type {Session} */ (await gone).reject(451);
  assert.equal(await no, 'refused');
  await assert.rejects(/** @type {Session} */ (await gone).ready, /not accepted/);
});

test('bidirectional streams of either side', T, async () => {
  const opened = sessionOn('/bidi');
  const done = client('/bidi', `
    const { readable, writable } = await wt.createBidirectionalStream();
    const writer = writable.getWriter();
    writer.write(bytes(700_000, 1)).catch(() => {});
    writer.close().catch(() => {});
    const back = await readAll(readable);
    const theirs = (await wt.incomingBidirectionalStreams.getReader().read()).value;
    const got = await readAll(theirs.readable);
    const answer = theirs.writable.getWriter();
    await answer.write(got.slice(0, 10));
    await answer.close();
    await wt.closed;
    return { same: back.every((octet, i) => octet === (i * 7 + 1) % 251), length: back.length, got: [...got] };`);
  const session = await opened;
  const { readable, writable } = await first(session.incomingBidirectionalStreams);
  await readable.pipeTo(writable);
  const ours = await session.createBidirectionalStream();
  const writer = ours.writable.getWriter();
  await writer.write(bytes(20, 9));
  await writer.close();
  assert.deepEqual([...await readAll(ours.readable)], [...bytes(10, 9)]);
  session.close({ closeCode: 4, reason: 'enough' });
  assert.deepEqual(await done, { same: true, length: 700_000, got: [...bytes(20, 9)] });
  assert.deepEqual(await session.closed, { closeCode: 4, reason: 'enough' });
});

test('unidirectional streams of either side, also by the octet and with BYOB', T, async () => {
  const opened = sessionOn('/uni');
  const done = client('/uni', `
    const writer = (await wt.createUnidirectionalStream()).getWriter();
    for (let i = 0; i < 10; i++) await writer.write(new Uint8Array([i]));
    await writer.write(bytes(200_000, 3));
    await writer.close();
    const theirs = (await wt.incomingUnidirectionalStreams.getReader().read()).value;
    const reader = theirs.getReader();
    let length = 0;
    try {
      for (;;) length += (await reader.read()).value.length;
    } catch (error) {
      return [length, error.streamErrorCode];
    }`);
  const session = await opened;
  const incoming = await first(session.incomingUnidirectionalStreams);
  const reader = incoming.getReader({ mode: 'byob' });
  const octets = [];
  for (;;) {
    const { value, done: over } = await reader.read(new Uint8Array(50_000));
    octets.push(...(value ?? []));
    if (over) break;
  }
  assert.deepEqual(octets.slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(Uint8Array.from(octets.slice(10)), bytes(200_000, 3));
  const writer = (await session.createUnidirectionalStream()).getWriter();
  for (const chunk of [new ArrayBuffer(5), new DataView(new ArrayBuffer(7), 2), new Uint16Array(4)]) {
    await writer.write(chunk);
  }
  await assert.rejects(writer.write(/** @type {any} */ ('text')), TypeError);
  // That is the end of the stream, and the client hears of it.
  await assert.rejects(writer.closed, TypeError);
  const [length, code] = await done;
  assert.ok(length <= 5 + 5 + 8);
  assert.equal(code, 0);
});

test('datagrams', T, async () => {
  const opened = sessionOn('/datagrams');
  const done = client('/datagrams', `
    const writer = wt.datagrams.writable.getWriter();
    const reader = wt.datagrams.readable.getReader();
    const got = [];
    for (let i = 0; i < 100; i++) {
      await writer.write(bytes(i * 10 + 1, i));
      const { value } = await reader.read();
      got.push(value.length === i * 10 + 1 && value.every((octet, k) => octet === (k * 7 + i) % 251));
    }
    return got.every(Boolean) && got.length;`);
  const session = await opened;
  assert.ok(session.datagrams.maxDatagramSize > 1000);
  const writer = session.datagrams.writable.getWriter();
  // One that is too long is lost, not an error.
  await writer.write(new Uint8Array(5000));
  writer.releaseLock();
  const echo = session.datagrams.readable.pipeTo(session.datagrams.writable).catch((error) => error);
  assert.equal(await done, 100);
  await session.closed;
  assert.equal((await echo).source, 'session');
});

test('datagrams that nobody reads: the oldest are dropped', T, async () => {
  const opened = sessionOn('/flood');
  const done = client('/flood', `
    const writer = wt.datagrams.writable.getWriter();
    const reader = (await wt.incomingUnidirectionalStreams.getReader().read()).value.getReader();
    for (let i = 0; i < 120; i++) {
      await writer.write(new Uint8Array([i & 255, i >> 8]));
      // Each was read from the socket before the next is sent.
      const stream = await wt.createBidirectionalStream();
      await stream.writable.close();
      await readAll(stream.readable);
    }
    reader.cancel();
    return 0;`);
  const session = await opened;
  session.datagrams.incomingHighWaterMark = 20;
  await (await session.createUnidirectionalStream()).getWriter().write(new Uint8Array([1]));
  let streams = 0;
  for await (const { readable, writable } of session.incomingBidirectionalStreams) {
    await readAll(readable);
    await writable.close();
    if (++streams === 120) break;
  }
  assert.equal(await done, 0);
  assert.ok(session.datagrams.dropped > 50, `${session.datagrams.dropped}`);
});

test('codes of resets and stops, both ways', T, async () => {
  const opened = sessionOn('/codes');
  const done = client('/codes', `
    const code = (n) => new WebTransportError({ source: 'stream', streamErrorCode: n, message: 'x' });
    const codeOf = (promise) => promise.then(() => 'fine', (error) => [error.source, error.streamErrorCode]);
    const one = await wt.createBidirectionalStream();
    const writer = one.writable.getWriter();
    await writer.write(new Uint8Array([1]));
    const reader = one.readable.getReader();
    await reader.read();
    await Promise.allSettled([writer.abort(code(11)), reader.cancel(code(12))]);
    const two = await wt.createBidirectionalStream();
    const writer2 = two.writable.getWriter();
    await writer2.write(new Uint8Array([2]));
    const reader2 = two.readable.getReader();
    await reader2.read();
    await writer2.write(new Uint8Array([3]));
    return { reset: await codeOf(reader2.read()), stopped: await codeOf(writer2.closed) };`);
  const session = await opened;
  const incoming = session.incomingBidirectionalStreams.getReader();
  const one = /** @type {any} */ ((await incoming.read()).value);
  const writer = one.writable.getWriter();
  const reader = one.readable.getReader();
  await reader.read();
  await writer.write(new Uint8Array([1]));
  await assert.rejects(reader.read(), { name: 'WebTransportError', source: 'stream', streamErrorCode: 11 });
  await assert.rejects(writer.closed, { name: 'WebTransportError', source: 'stream', streamErrorCode: 12 });

  const { WebTransportError } = await import('../../ui/server/errors.js');
  const two = /** @type {any} */ ((await incoming.read()).value);
  const writer2 = two.writable.getWriter();
  const reader2 = two.readable.getReader();
  await reader2.read();
  await writer2.write(new Uint8Array([1]));
  // It has read that.
  await reader2.read();
  await reader2.cancel(new WebTransportError('', { streamErrorCode: 21 }));
  await writer2.abort(new WebTransportError('', { streamErrorCode: 4_000_000_000 }));
  assert.deepEqual(await done, { reset: ['stream', 4_000_000_000], stopped: ['stream', 21] });
});

test('an application that does not read holds its client back', T, async () => {
  const opened = sessionOn('/unread');
  const length = 3_000_000;
  const done = client('/unread', `
    const stream = await wt.createUnidirectionalStream();
    const writer = stream.getWriter();
    await writer.write(bytes(${length}, 5));
    await writer.close();
    return 'written';`);
  const session = await opened;
  const readable = await first(session.incomingUnidirectionalStreams);
  // All that the windows let through has come, and nothing more does.
  let unread = 0;
  let same = 0;
  while (same < 50) {
    const now = (await server.stats).health?.unread ?? 0;
    same = now === unread && now > 100_000 ? same + 1 : 0;
    unread = now;
  }
  assert.ok(unread <= 128 * 1024, `${unread}`);
  const octets = await readAll(readable);
  assert.equal(octets.length, length);
  assert.deepEqual(octets, bytes(length, 5));
  assert.equal(await done, 'written');
  await session.closed;
  assert.equal((await server.stats).health?.unread, 0);
});

test('a client that does not read holds the application back', T, async () => {
  const opened = sessionOn('/stuck');
  const LIMIT = 24;
  const done = client('/stuck', `
    const theirs = (await wt.incomingUnidirectionalStreams.getReader().read()).value;
    await wt.datagrams.readable.getReader().read();
    let length = 0;
    for await (const chunk of theirs) length += chunk.length;
    return length;`);
  const session = await opened;
  const writer = (await session.createUnidirectionalStream()).getWriter();
  const piece = new Uint8Array(1 << 20);
  let written = 0;
  let stuck = false;
  while (written < LIMIT && !stuck) {
    const write = writer.write(piece);
    // Until the network has nothing to do for this any more.
    let sent = -1;
    let same = 0;
    let over = false;
    write.then(() => { over = true; }, () => {});
    while (!over && same < 100) {
      const { counters } = await server.stats;
      same = counters.octets_sent === sent ? same + 1 : 0;
      sent = counters.octets_sent;
    }
    stuck = !over;
    written++;
  }
  assert.ok(stuck, 'it took all that was written');
  await session.datagrams.writable.getWriter().write(new Uint8Array([1]));
  await writer.close();
  assert.equal(await done, written << 20);
});

test('ends: by the client, by the server, with the connection', T, async () => {
  let opened = sessionOn('/end');
  await client('/end', "wt.close({ closeCode: 12, reason: 'weil' }); await wt.closed;");
  assert.deepEqual(await (await opened).closed, { closeCode: 12, reason: 'weil' });

  opened = sessionOn('/end2');
  let done = client('/end2', `
    const { readable, writable } = await wt.createBidirectionalStream();
    await writable.getWriter().write(new Uint8Array([1]));
    await wt.draining;
    const reader = readable.getReader();
    const failed = await reader.read().then(() => 'read', (error) => error.source);
    const { closeCode, reason } = await wt.closed;
    return { closeCode, reason, failed };`);
  let session = await opened;
  const { readable, writable } = await first(session.incomingBidirectionalStreams);
  session.drain();
  const pending = readable.getReader();
  await pending.read();
  const rest = pending.read();
  const writer = writable.getWriter();
  session.close({ closeCode: 4_294_967_295, reason: '€'.repeat(500) });
  await assert.rejects(rest, { source: 'session' });
  await assert.rejects(writer.closed, { source: 'session' });
  await assert.rejects(session.createUnidirectionalStream(), { source: 'session' });
  const end = await done;
  assert.equal(end.closeCode, 4_294_967_295);
  assert.equal(end.reason, '€'.repeat(341));
  assert.equal(end.failed, 'session');

  // Each of five has a connection of its own; the page is gone with all of them.
  const lost = [];
  for (let i = 0; i < 5; i++) {
    opened = sessionOn(`/lost${i}`);
    client(`/lost${i}`, 'await wt.closed;').catch(() => {});
    session = await opened;
    lost.push(session.closed);
  }
  await server.certificates.revoke();
  for (const closed of lost) await assert.rejects(closed, { source: 'session' });
});

test('certificates: state, hashes, link, documents, events', T, async () => {
  const { certificates } = server;
  const [active, standby] = certificates.hashes;
  assert.equal(active.use, 'active');
  assert.equal(active.algorithm, 'sha-256');
  assert.equal(active.value.length, 32);
  assert.equal(await certificates.text('hex'), `${active.hex}\n${standby.hex}`);
  assert.equal(await certificates.text('link'), certificates.link);
  assert.match(certificates.document, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  await assert.rejects(certificates.text(/** @type {any} */ ('nonsense')), /the forms are/);
  await assert.rejects(certificates.rotate(), /./);
  const changed = new Promise((resolve) => certificates.addEventListener('change', resolve, { once: true }));
  await certificates.rotate({ force: true });
  await changed;
  assert.equal(certificates.hashes[0].hex, standby.hex);
  const opened = sessionOn('/after');
  await client('/after', 'return 0;');
  await (await opened).closed;
});

test('close(): sessions are told, and all ends', T, async () => {
  const another = await WebTransportServer.listen({ ...OPTIONS, endpoint: await nodePort(), paths: ['/only'] });
  /** @type {Session[]} */
  const sessions = [];
  const over = (async () => {
    for await (const session of another.sessions) {
      await session.accept();
      sessions.push(session);
    }
  })();
  const missing = await client('/missing', 'return await wt.ready.then(() => "served", () => "refused");',
    { ready: false, on: another });
  assert.equal(missing, 'refused');
  const done = client('/only', 'const { closeCode, reason } = await wt.closed; return { closeCode, reason };',
    { on: another });
  while (sessions.length === 0) await another.stats;
  await another.close({ closeCode: 3, reason: 'bye' });
  await over;
  assert.deepEqual(await done, { closeCode: 3, reason: 'bye' });
  assert.deepEqual(await sessions[0].closed, { closeCode: 3, reason: 'bye' });
  await sessions[0].draining;
  await assert.rejects(another.stats, /stopped/);
  await another.closed;
});

test('a server that cannot be', T, async () => {
  await assert.rejects(async () => WebTransportServer.listen({ ...OPTIONS, port: server.port, endpoint: await nodePort() }),
    { code: 'port-busy' });
  await assert.rejects(async () => WebTransportServer.listen({ ...OPTIONS, paths: ['chat'], endpoint: await nodePort() }),
    { code: 'bad-option' });
});
