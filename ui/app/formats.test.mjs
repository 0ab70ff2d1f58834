// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { age, clock, groups, hexToBase64, logLine, plain, snippet } from './formats.js';

// SHA-256("abc"), the golden vector that certmgr is held to as well.
const HEX = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const BASE64 = 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=';
const TIMES = { not_before: 0, not_after: 0, active_from: 0, active_until: 0 };
const PUBLISHED = /** @type {const} */ ({ state: 'HEALTHY', identity: 'id', epoch: 1, seq: 1, link: '' });
const B64URL = 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0';

test('hexToBase64 keeps to the golden vector', () => {
  assert.equal(hexToBase64(HEX), BASE64);
  assert.equal(hexToBase64(''), '');
});

test('groups lose no digit', () => {
  assert.equal(groups(HEX).length, 8);
  assert.equal(groups(HEX).join(''), HEX);
  assert.deepEqual(groups(''), []);
});

test('the snippet is JavaScript that names the URL and the hashes', async () => {
  const url = `https://127.0.0.1:4433/it's "here"\\`;
  const code = snippet({ ...PUBLISHED, url, hashes: [
    { use: 'active', hex: HEX, b64url: B64URL, ...TIMES },
    { use: 'standby', hex: '00ff', b64url: 'AP8', ...TIMES }] });
  /** @type {any[]} */
  const made = [];
  class WebTransport {
    ready = Promise.resolve();
    /** @param {...any} args */
    constructor(...args) {
      made.push(args);
    }
  }
  const AsyncFunction = /** @type {any} */ (async () => {}).constructor;
  await new AsyncFunction('WebTransport', code)(WebTransport);
  const [[got, { serverCertificateHashes }]] = made;
  assert.equal(got, url);
  assert.deepEqual(serverCertificateHashes.map((/** @type {any} */ h) => h.algorithm), ['sha-256', 'sha-256']);
  assert.equal(Buffer.from(serverCertificateHashes[0].value).toString('hex'), HEX);
  assert.equal(Buffer.from(serverCertificateHashes[1].value).toString('hex'), '00ff');
  assert.equal(snippet({ ...PUBLISHED, url: null, hashes: [] }), '');
});

test('age', () => {
  for (const [seconds, text] of /** @type {const} */ ([
    [-5, '0:00'], [0, '0:00'], [7.9, '0:07'], [59, '0:59'], [60, '1:00'], [754, '12:34'],
    [3599, '59:59'], [3600, '1:00:00'], [86399, '23:59:59'], [86400, '1 d 0:00:00'], [183845, '2 d 3:04:05']])) {
    assert.equal(age(seconds * 1000), text);
  }
});

test('clock', () => {
  assert.equal(clock(new Date(2026, 10, 22, 3, 4, 5)), '03:04:05');
});

test('plain lets no peer forge a line', () => {
  assert.equal(plain('a\nb\u202ec\u2028d\u0000'), 'a\ufffdb\ufffdc\ufffdd\ufffd');
  assert.equal(plain('x'.repeat(300)).length, 200);
  assert.equal(plain(undefined), '');
  assert.equal(plain('Grüße, 世界'), 'Grüße, 世界');
});

test('logLine has a line for each event that a person should see', () => {
  assert.deepEqual(logLine({ type: 'session-closed', session: 3, by: 'client', code: 7, reason: 'a\nb' }),
    { level: 'info', text: 'Session 3 closed by the client, code 7, “a\ufffdb”' });
  assert.match(logLine({ type: 'session-closed', session: 3, by: 'connection', code: 0, reason: '' })?.text ?? '',
    /ended with its connection$/);
  assert.deepEqual(logLine({ type: 'refused', certificate: HEX, peer: '::1', by: 'chromium', text: 'a\nb' }),
    { level: 'warning', text: 'a\ufffdb (::1)' });
  assert.equal(logLine({ type: 'ephemeral', text: 'no disk' })?.text, 'Nothing is kept: no disk');
  assert.equal(logLine({ type: 'certificates', ...PUBLISHED, url: '', hashes: [] }), undefined);
  assert.equal(logLine({ type: 'reply', id: 1, reply: {} }), undefined);
});
