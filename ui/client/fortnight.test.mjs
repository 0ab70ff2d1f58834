// SPDX-License-Identifier: Apache-2.0
/**
 * What fortnight.js takes and refuses.  The documents are the native program's,
 * and such as nobody should sign, signed here.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { native } from '../../tests/browser/servers/native.mjs';
import { ROOT, startServer } from '../../tests/browser/servers/server.mjs';
import { backOff, connect, FortnightError, isNewer, parseLink, verifyDocument } from './fortnight.js';

/** @typedef {import('./fortnight.js').HashSet} HashSet */

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DAY = 86400;

/** What the native program has published, the older one first. */
const real = { link: '', identity: '', documents: /** @type {string[]} */ ([]) };

before(async () => {
  const server = await startServer(native,
    ['--port', '0', '--ephemeral', '--http', 'off', '--mirror', 'https://m.example/a?b=c&d=%41#'.slice(0, -1)]);
  try {
    const jws = async () => (await server.command({ command: 'hashes', form: 'jws' })).text;
    real.link = server.ready.link;
    real.identity = server.ready.identity;
    real.documents.push(await jws());
    await server.command({ command: 'rotate', force: true });
    real.documents.push(await jws());
    await server.command({ command: 'reset' });
    real.documents.push(await jws());
    await server.stop();
  } finally {
    server.running.scratch.remove();
  }
});

/**
 * @param {() => unknown} act
 * @param {string} code
 * @param {string} [what]
 */
async function refused(act, code, what = '') {
  try {
    await act();
  } catch (error) {
    assert.ok(error instanceof FortnightError, `${what}: ${/** @type {Error} */ (error).stack}`);
    assert.equal(error.code, code, what);
    assert.match(error.message, /^[A-Z].*[.)]$/, `${what}: no sentence`);
    return error;
  }
  return assert.fail(`${what}: it was taken`);
}

/** @param {string} text */
const encode = (text) => Buffer.from(text).toString('base64url');

/** @param {string} part */
const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

/** @returns {Promise<{identity: string, jwk: JsonWebKey, sign: (payload: string, header?: object) => Promise<string>}>} */
async function signer() {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const { privateKey, publicKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  const jwk = { crv, kty, x, y };
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(JSON.stringify(jwk)));
  return {
    identity: Buffer.from(digest).toString('base64url'),
    jwk,
    async sign(payload, header = { alg: 'ES256', jwk }) {
      const text = `${encode(JSON.stringify(header))}.${encode(payload)}`;
      const signature = await crypto.subtle.sign(algorithm, privateKey, Buffer.from(text));
      return `${text}.${Buffer.from(signature).toString('base64url')}`;
    },
  };
}

test('the native program’s documents are taken', async () => {
  const [first, second, third] = await Promise.all(
    real.documents.map((jws) => verifyDocument(jws, real.identity)));
  assert.deepEqual(first.hashes.map((it) => it.b64url), parseLink(real.link).hashes);
  assert.equal(first.url, parseLink(real.link).url);
  assert.equal(second.hashes[0].hex, first.hashes[1].hex);
  assert.equal(second.epoch, first.epoch);
  assert.equal(third.epoch, first.epoch + 1);
  for (const [set, old, newer] of /** @type {const} */ ([
    [second, first, true], [first, second, false], [first, first, false], [third, second, true],
    [second, third, false], [first, null, true],
    [{ ...first, epoch: 2, seq: 1 }, { ...first, epoch: 1, seq: 9 }, true],
    [{ ...first, epoch: 1, seq: 9 }, { ...first, epoch: 2, seq: 1 }, false],
  ])) assert.equal(isNewer(set, old), newer);
});

test('a document that has run out', async () => {
  const [jws] = real.documents;
  const { valid_until: end } = await verifyDocument(jws, real.identity);
  assert.ok(Math.abs(end - Date.now() / 1000 - 12 * DAY) < DAY);
  await verifyDocument(jws, real.identity, { now: end - 1 });
  await refused(() => verifyDocument(jws, real.identity, { now: end }), 'document-expired');
  const error = await refused(() => verifyDocument(jws, real.identity, { now: end + 3 * DAY }), 'document-expired');
  assert.match(error.message, / 3 days ago/);
  await verifyDocument(jws, real.identity, { now: end + DAY, expired: true });
});

test('somebody else’s document', async () => {
  const [jws] = real.documents;
  const other = await signer();
  await refused(() => verifyDocument(jws, other.identity), 'document-identity');
  await refused(() => verifyDocument(jws, ''), 'document-identity');
  const [, payload] = jws.split('.');
  const forged = await other.sign(Buffer.from(payload, 'base64url').toString());
  await refused(() => verifyDocument(forged, real.identity), 'document-identity');
  // Another's signature below the right key.
  const [header] = jws.split('.');
  await refused(() => verifyDocument(`${header}.${payload}.${forged.split('.')[2]}`, real.identity), 'document-signature');
});

test('no octet of a document can be changed', async () => {
  const [jws] = real.documents;
  for (let i = 0; i < jws.length; i += 7) {
    const c = jws[i] === 'A' ? 'B' : 'A';
    const changed = jws.slice(0, i) + c + jws.slice(i + 1);
    await assert.rejects(verifyDocument(changed, real.identity), FortnightError, `at ${i}`);
  }
  for (let i = 0; i < jws.length; i += 13) {
    await refused(() => verifyDocument(jws.slice(0, i), real.identity), 'document-malformed', `the first ${i}`);
  }
});

test('what is no document at all', async () => {
  const [jws] = real.documents;
  const [header, payload, signature] = jws.split('.');
  const jwk = decode(header).jwk;
  const withHeader = (/** @type {unknown} */ it) => `${encode(JSON.stringify(it))}.${payload}.${signature}`;
  for (const it of [undefined, null, 7, {}, [], '', '.', '..', '...', `${jws}.`, `${jws}.x`, ` ${jws}`, `${jws}\n`,
    `${jws}=`, 'x'.repeat(1 << 20), '\u{1F600}.\u{1F600}.\u{1F600}', new Uint8Array(9),
    `${encode('{')}.${payload}.${signature}`, `${encode('null')}.${payload}.${signature}`,
    `${Buffer.from([0xff, 0xfe]).toString('base64url')}.${payload}.${signature}`,
    withHeader([]), withHeader({ alg: 'none', jwk }), withHeader({ alg: 'HS256', jwk }), withHeader({ alg: 'ES256' }),
    withHeader({ alg: 'ES256', jwk: null }), withHeader({ alg: 'ES256', jwk: { ...jwk, crv: 'P-384' } }),
    withHeader({ alg: 'ES256', jwk: { ...jwk, x: `${jwk.x}A` } }), withHeader({ alg: 'ES256', jwk: { ...jwk, y: 5 } }),
    withHeader({ alg: 'ES256', jwk, crit: ['b64'] }), withHeader({ alg: 'ES256', jwk, crit: null }),
    `${header}.${payload}.${signature.slice(0, -1)}`, `${header}.${payload}.${signature}AAAA`]) {
    await refused(() => verifyDocument(it, real.identity), 'document-malformed', String(it).slice(0, 80));
  }
  // A point that is not on the curve, under its own thumbprint.
  const off = { crv: 'P-256', kty: 'EC', x: Buffer.alloc(32, 1).toString('base64url'), y: Buffer.alloc(32, 1).toString('base64url') };
  const thumbprint = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(JSON.stringify(off)))).toString('base64url');
  await refused(() => verifyDocument(withHeader({ alg: 'ES256', jwk: off }), thumbprint), 'document-signature');
});

test('what a server should never sign', async () => {
  const { sign, identity } = await signer();
  const good = decode(real.documents[0].split('.')[1]);
  const [active, standby] = good.hashes;
  await verifyDocument(await sign(JSON.stringify(good)), identity);
  const bad = /** @type {Record<string, unknown>[]} */ ([
    { v: 2 }, { v: '1' }, { epoch: 0 }, { epoch: 1.5 }, { epoch: 2 ** 53 }, { seq: 0 }, { seq: '7' }, { seq: null },
    { issued_at: -1 }, { refresh_after: undefined }, { valid_until: 1e300 }, { valid_until: '9' },
    { url: 'http://127.0.0.1/' }, { url: 7 }, { url: 'https://' }, { url: `https://a.example/${'u'.repeat(500)}` },
    { hashes: [] }, { hashes: {} }, { hashes: [active, standby, standby] }, { hashes: [standby, active] },
    { hashes: [active, active] }, { hashes: [null] },
    { hashes: [{ ...active, alg: 'sha-1' }] }, { hashes: [{ ...active, hex: active.hex.toUpperCase() }] },
    { hashes: [{ ...active, hex: standby.hex }] }, { hashes: [{ ...active, b64url: `${active.b64url}=` }] },
    { hashes: [{ ...active, not_after: active.not_before }] },
    { hashes: [{ ...active, not_after: active.not_before + 1_209_600 }] },
    { hashes: [{ ...active, not_before: -1 }] }, { hashes: [{ ...active, active_from: 'now' }] },
  ]);
  for (const change of bad) {
    const jws = await sign(JSON.stringify({ ...good, ...change }));
    await refused(() => verifyDocument(jws, identity), 'document-malformed', JSON.stringify(change));
  }
  for (const payload of ['', '[]', 'null', '{"v":1', `${'['.repeat(2000)}${']'.repeat(2000)}`]) {
    const jws = await sign(payload);
    await refused(() => verifyDocument(jws, identity), 'document-malformed', payload.slice(0, 40));
  }
  // Numbers at their very ends, and what a later version may add.
  await verifyDocument(await sign(JSON.stringify({ ...good, seq: Number.MAX_SAFE_INTEGER, more: [1] })), identity);
});

test('links', async () => {
  const link = parseLink(real.link);
  assert.equal(link.identity, real.identity);
  assert.equal(link.mirror, 'https://m.example/a?b=c&d=%41');
  assert.match(link.url, /^https:\/\/127\.0\.0\.1:\d+\/echo$/);
  const [one, two] = link.hashes;
  const at = 'https://h.example:4433/p?q=1';
  assert.deepEqual(parseLink(`  ${at}#wt=${one}\n`), { url: at, hashes: [one], identity: null, mirror: null });
  assert.deepEqual(parseLink(new URL(`${at}#wt=${one}.${two}.${one}&new=1`)).hashes, [one, two]);
  assert.equal(parseLink(`https://[::1]:4433/#wt=${one}`).url, 'https://[::1]:4433/');
  const bad = /** @type {any[]} */ ([
    undefined, null, 7, {}, '', 'hello', at, `${at}#`, `${at}#wt=`, `http${at.slice(5)}#wt=${one}`, `javascript:#wt=${one}`,
    `https://a:b@h.example/#wt=${one}`, `${at}#wt=${one.slice(1)}`, `${at}#wt=${one}.`, `${at}#wt=.${one}`,
    `${at}#wt=${one}=`, `${at}#wt=${one.slice(0, -1)}*`, `${at}#wt=${one.slice(0, -1)}${String.fromCharCode(one.charCodeAt(42) ^ 1)}`,
    `${at}#wt=${one}&wt=${two}`, `${at}#wt=${one}&id=`, `${at}#wt=${one}&id=${real.identity.slice(1)}`,
    `${at}#wt=${one}&mirror=`, `${at}#wt=${one}&mirror=http%3A%2F%2Fm.example`, `${at}#wt=${one}&mirror=m.example`,
    `${at}#wt=${one}&mirror=https%3A%2F%2Fa%40m.example`, `${at}#wt=${one}&${'x'.repeat(5000)}`,
    `${at}#wt=${Array.from({ length: 9 }, (_, i) => encode(String(i).repeat(32))).join('.')}`,
  ]);
  for (const it of bad) await refused(() => parseLink(it), 'bad-link', String(it));
  // Cut off anywhere, as when a line was wrapped, it is refused or means less.
  for (let i = 0; i < real.link.length; i++) {
    try {
      const { hashes, identity } = parseLink(real.link.slice(0, i));
      assert.deepEqual(hashes, link.hashes.slice(0, hashes.length));
      assert.ok(identity === null || identity === link.identity);
    } catch (error) {
      assert.ok(error instanceof FortnightError, `the first ${i}`);
    }
  }
});

test('connect() never throws', async () => {
  for (const [link, options, code] of /** @type {[any, any, string][]} */ ([
    ['hello', {}, 'bad-link'], [undefined, {}, 'bad-link'], [{}, {}, 'bad-link'],
    [real.link, { path: 'room' }, 'bad-link'], [real.link, { path: '/a#b' }, 'bad-link'],
    // Node.js has none.
    [real.link, {}, 'unsupported'],
  ])) {
    const transport = connect(link, options);
    await refused(() => transport.ready, code, String(link));
    await refused(() => transport.closed, code);
    await refused(() => transport.createBidirectionalStream(), code);
    await refused(() => transport.datagrams.writable.getWriter().write(new Uint8Array(1)), code);
    await refused(() => transport.incomingUnidirectionalStreams.getReader().read(), code);
    assert.equal(transport.state, 'closed');
    transport.close();
  }
  const transport = connect(real.link);
  transport.close({ closeCode: 3, reason: 'no more' });
  assert.deepEqual(await transport.closed, { closeCode: 3, reason: 'no more' });
  await refused(() => transport.ready, 'closed');
  assert.equal((await transport.incomingBidirectionalStreams.getReader().read()).done, true);
});

test('the time between attempts', () => {
  const limits = { first: 500, most: 30_000 };
  const least = Array.from({ length: 9 }, (_, n) => backOff(n, limits, () => 0));
  assert.deepEqual(least, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  assert.equal(backOff(0, limits, () => 1), 500);
  assert.equal(backOff(5000, limits, () => 1), 30_000);
  const some = new Set(Array.from({ length: 20 }, () => backOff(3, limits)));
  assert.ok(some.size > 10 && [...some].every((it) => it >= 2000 && it <= 4000));
});

test('fortnight.d.ts is what fortnight.js says', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fortnight-types-'));
  try {
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { noEmit: false, declaration: true, emitDeclarationOnly: true, outDir: folder, rootDir: HERE, types: [] },
      include: [], files: [join(HERE, 'fortnight.js')],
    }));
    // Strict: a d.ts beside it keeps it from `make lint`.
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder], { encoding: 'utf8' });
    const now = `// SPDX-License-Identifier: Apache-2.0\n${readFileSync(join(folder, 'fortnight.d.ts'), 'utf8')}`;
    if (process.env.UPDATE) writeFileSync(join(HERE, 'fortnight.d.ts'), now);
    assert.equal(readFileSync(join(HERE, 'fortnight.d.ts'), 'utf8'), now, 'UPDATE=1 node --test ui/client writes it anew');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the package has what it names', () => {
  const { files, exports, license } = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8'));
  for (const name of [...files, ...Object.values(exports['.'])]) readFileSync(join(HERE, name));
  assert.equal(license, 'Apache-2.0');
  assert.equal(readFileSync(join(HERE, 'LICENSE'), 'utf8'), readFileSync(join(ROOT, 'LICENSE'), 'utf8'));
});
