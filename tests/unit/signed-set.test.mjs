// SPDX-License-Identifier: Apache-2.0
// A signed hash set as certmgr/hashset_signed.c writes it, verified with nothing
// but WebCrypto: what a page does with it.  certmgr/hashset_signed_test.c holds
// the C side to the same octets.

import { test } from 'node:test';
import assert from 'node:assert/strict';

const THUMBPRINT = 'ikDe3qI4MjvujVDJFXDQSAESQ-F6ID75IcTAlNsh0q4';
const JWS =
  'eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6Il' +
  'dhZEFTUzdoUjVTaGJReEpveDlpTjZGaEhyajZCc202YmlueTQ3bUxWRU0iLCJ5IjoiMWhX' +
  'Q2h0Z2hRa0NoNEFYcE5XYndnYnc5eTZHbTNJVF9uZ1lVLTlEc1Z4NCJ9fQ.eyJ2IjoxLCJ' +
  'lcG9jaCI6Miwic2VxIjo5MDA3MTk5MjU0NzQwOTkxLCJpc3N1ZWRfYXQiOjE3NjcyMjU2M' +
  'DAsInJlZnJlc2hfYWZ0ZXIiOjE3Njc3NDQwMDAsInZhbGlkX3VudGlsIjoxNzY4MjYyNDA' +
  'wLCJ1cmwiOiJodHRwczovL2hvc3QuZXhhbXBsZTo0NDMzL2VjaG8iLCJoYXNoZXMiOlt7I' +
  'nVzZSI6ImFjdGl2ZSIsImFsZyI6InNoYS0yNTYiLCJoZXgiOiJmZjAwMDAwMDAwMDAwMDA' +
  'wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIiwiY' +
  'jY0dXJsIjoiX3dBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSI' +
  'sIm5vdF9iZWZvcmUiOjE3NjY2MjA4MDAsIm5vdF9hZnRlciI6MTc2NzgzMDM5OSwiYWN0a' +
  'XZlX2Zyb20iOjE3NjcyMjU2MDB9LHsidXNlIjoic3RhbmRieSIsImFsZyI6InNoYS0yNTY' +
  'iLCJoZXgiOiIwMDAxMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM' +
  'DAwMDAwMDAwMDAwMDAwMDAwMDAwIiwiYjY0dXJsIjoiQUFFQUFBQUFBQUFBQUFBQUFBQUF' +
  'BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSIsIm5vdF9iZWZvcmUiOjE3NjcxMzkyMDAsIm5vd' +
  'F9hZnRlciI6MTc2ODM0ODc5OSwiYWN0aXZlX2Zyb20iOjE3Njc3NDQwMDB9XX0.nUt-K5N' +
  'Gxn7nu4h9BVyil56IJIRB0qF6AHIO02AQvLxsQrK8nBc866_jU39XdBBY87eeYzIYph7Dm' +
  'DR2IaqXWQ';

/**
 * @param {string} jws
 * @param {string} thumbprint
 */
async function verify(jws, thumbprint) {
  const [header, payload, signature] = jws.split('.');
  const { alg, jwk } = JSON.parse(
    Buffer.from(header, 'base64url').toString('utf8'));
  const { crv, kty, x, y } = jwk;
  assert.equal(alg, 'ES256');
  // RFC 7638 section 3.
  const digest = await crypto.subtle.digest('SHA-256',
    new TextEncoder().encode(JSON.stringify({ crv, kty, x, y })));
  assert.equal(Buffer.from(digest).toString('base64url'), thumbprint);
  const key = await crypto.subtle.importKey('jwk', { crv, kty, x, y },
    { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  const valid = await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' },
    key, Buffer.from(signature, 'base64url'),
    new TextEncoder().encode(`${header}.${payload}`));
  return valid
    ? JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    : undefined;
}

test('WebCrypto verifies a signed hash set', async () => {
  const set = await verify(JWS, THUMBPRINT);
  assert.equal(set.v, 1);
  assert.equal(set.epoch, 2);
  assert.equal(set.seq, Number.MAX_SAFE_INTEGER);
  assert.equal(set.url, 'https://host.example:4433/echo');
  assert.deepEqual(
    set.hashes.map((/** @type {{ use: string }} */ hash) => hash.use),
    ['active', 'standby']);
  for (const hash of set.hashes) {
    assert.equal(hash.alg, 'sha-256');
    assert.deepEqual(Buffer.from(hash.hex, 'hex'),
      Buffer.from(hash.b64url, 'base64url'));
    assert.ok(hash.not_after - hash.not_before < 14 * 86400);
  }
});

test('and refuses one that was changed', async () => {
  const [header, payload, signature] = JWS.split('.');
  const other = Buffer.from(
    Buffer.from(payload, 'base64url').toString('utf8')
      .replace('host.example', 'evil.example')).toString('base64url');
  assert.equal(
    await verify(`${header}.${other}.${signature}`, THUMBPRINT), undefined);
});
