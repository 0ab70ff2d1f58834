// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FORMS, age, clock, groups, hexToBase64, logLine, milliseconds, multiaddr, octets, plain, snippet } from './formats.js';

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

/* The golden vectors of certmgr/hashset_test.c: SHA-256 of "abc" and of nothing. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const BOTH = { ...PUBLISHED, url: 'https://localhost:4433/echo', hashes: [
  { use: /** @type {const} */ ('active'), hex: HEX, b64url: B64URL, ...TIMES },
  { use: /** @type {const} */ ('standby'), hex: EMPTY, b64url: '', ...TIMES }] };

test('each form keeps to the golden vector, the active hash first', () => {
  const CERTHASH = 'uEiC6eBa_jwHP6kFBQN5driIjsANho5YXepy0EP9h8gAVrQ';
  const first = (/** @type {keyof typeof FORMS} */ form) => FORMS[form].of(BOTH).split('\n')[0];
  assert.equal(first('hex'), HEX);
  assert.equal(first('openssl'), 'BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD');
  assert.equal(first('base64'), BASE64);
  assert.equal(first('base64url'), B64URL);
  assert.equal(first('certhash'), CERTHASH);
  assert.equal(FORMS.hex.of(BOTH), `${HEX}\n${EMPTY}\n`);
  assert.match(FORMS.multiaddr.of(BOTH), new RegExp(
    `^/dns/localhost/udp/4433/quic-v1/webtransport/certhash/${CERTHASH}/certhash/uEi[A-Za-z0-9_-]{44}$`));
  for (const { of } of Object.values(FORMS)) assert.equal(of({ ...PUBLISHED, url: null, hashes: [] }), '');
});

test('the link goes into a string of JavaScript, whatever is in it', () => {
  const link = `https://a.example:1/it's "here"\\#wt=x`;
  const code = FORMS.client.of({ ...BOTH, link });
  assert.match(code, /^import \{ connect \} from '\.\/fortnight\.js';\n/);
  assert.equal(new Function(`return ${/connect\((.*)\);/.exec(code)?.[1]}`)(), link);
});

test('multiaddr tells names from addresses', () => {
  const start = (/** @type {string} */ url) => multiaddr({ ...PUBLISHED, url, hashes: [] });
  assert.equal(start('https://127.0.0.1/'), '/ip4/127.0.0.1/udp/443/quic-v1/webtransport');
  assert.equal(start('https://[2001:db8::1]:65535/a?b=c'), '/ip6/2001:db8::1/udp/65535/quic-v1/webtransport');
  assert.equal(start('https://1.example:1/'), '/dns/1.example/udp/1/quic-v1/webtransport');
});

test('octets', () => {
  for (const [n, text] of /** @type {const} */ ([
    [-1, '0 B'], [0, '0 B'], [999, '999 B'], [1000, '1.0 kB'], [9949, '9.9 kB'], [9951, '10 kB'], [999_499, '999 kB'],
    [999_501, '1.0 MB'], [12_345_678, '12 MB'], [3e9, '3.0 GB'], [5e15, '5000 TB']])) {
    assert.equal(octets(n), text, String(n));
  }
});

test('milliseconds', () => {
  for (const [us, text] of /** @type {const} */ ([
    [0, '0.0 ms'], [312, '0.3 ms'], [9949, '9.9 ms'], [12_345, '12 ms'], [999_400, '999 ms'], [1_250_000, '1.3 s']])) {
    assert.equal(milliseconds(us), text, String(us));
  }
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
