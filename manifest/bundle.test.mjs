// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BundleBuilder } from 'wbn';
import { IntegrityBlockSigner, NodeCryptoSigningStrategy } from 'wbn-sign';
import { BundleError, bundleId, makeBundle, makeKey, readKey, updateManifest } from './bundle.mjs';
import { BadBundle, readBundle } from './read_bundle.mjs';

const SCRIPT = fileURLToPath(new URL('../scripts/bundle.mjs', import.meta.url));

const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const key = readKey(makeKey());
const manifest = { name: 'Test', version: '1.2.3', start_url: '/' };

/**
 * @param {string} name
 * @param {Record<string, string|Uint8Array>} [files]
 */
function app(name, files = {}) {
  const folder = join(scratch, name);
  const all = { 'index.html': '<!doctype html>', '.well-known/manifest.webmanifest': JSON.stringify(manifest),
    'a b.js': 'export {};\n', ...files };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

test('a bundle: every file, its type, and a signature that holds', async () => {
  const large = new Uint8Array(70_000).map((_, i) => i * 7);
  const { id, version, files, bytes } = await makeBundle(app('good',
    { 'empty.js': '', 'x/large.wasm': large }), key);
  assert.equal(version, '1.2.3');
  assert.equal(files, 5);
  const read = await readBundle(bytes);
  assert.equal(read.id, id);
  assert.equal(read.version, '1.2.3');
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-32);
  assert.deepEqual(read.keys.map((it) => Buffer.from(it)), [raw]);
  // By the order of their names, whatever that of the file system.
  assert.deepEqual([...read.resources.keys()],
    ['/.well-known/manifest.webmanifest', '/a b.js', '/empty.js', '/', '/x/large.wasm']);
  const wasm = read.resources.get('/x/large.wasm');
  assert.deepEqual(Buffer.from(wasm?.body ?? []), Buffer.from(large));
  assert.equal(wasm?.status, 200);
  assert.equal(wasm?.headers.get('content-type'), 'application/wasm');
  assert.match(wasm?.headers.get('content-security-policy') ?? '', /require-trusted-types-for 'script'/);
  assert.equal(read.resources.get('/')?.headers.get('cross-origin-opener-policy'), 'same-origin');
});

test('the same files and the same key are the same octets', async () => {
  const [first, again] = await Promise.all([app('twin one', { 'b.js': 'b', 'a.js': 'a' }),
    app('twin two', { 'a.js': 'a', 'b.js': 'b' })].map((folder) => makeBundle(folder, key)));
  assert.deepEqual(Buffer.from(first.bytes), Buffer.from(again.bytes));
  const other = await makeBundle(app('twin two'), readKey(makeKey()));
  assert.notEqual(other.id, first.id);
});

test('the id says that it is of an Ed25519 key', () => {
  assert.match(bundleId(key), /^[a-z2-7]{52}aaic$/);
});

test('each octet of a bundle counts', async () => {
  const { bytes } = await makeBundle(app('small'), key);
  await readBundle(bytes);
  for (let at = 0; at < bytes.length; at++) {
    const bad = bytes.slice();
    bad[at] ^= 1 << at % 8;
    await assert.rejects(readBundle(bad), BadBundle, `octet ${at}`);
  }
  for (const length of [0, 1, 100, bytes.length - 1]) {
    await assert.rejects(readBundle(bytes.subarray(0, length)), BadBundle, `${length} octets`);
  }
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  await assert.rejects(readBundle(longer), BadBundle);
});

test('another key\'s signature does not make it the same app', async () => {
  const folder = app('stolen');
  const mine = await makeBundle(folder, key);
  const theirs = await makeBundle(folder, readKey(makeKey()));
  // Their block of signatures before my bundle, and the other way round.
  const [a, b] = [mine, theirs].map(({ bytes }) => {
    const at = Buffer.from(bytes).indexOf('🌐📦') - 2;
    return { block: bytes.subarray(0, at), bundle: bytes.subarray(at) };
  });
  await assert.rejects(readBundle(Buffer.concat([b.block, a.bundle])), BadBundle);
  await assert.rejects(readBundle(Buffer.concat([a.block, b.bundle])), BadBundle);
  // A signature of theirs that holds, for my id.
  const { signedWebBundle } = await new IntegrityBlockSigner(a.bundle, mine.id,
    [new NodeCryptoSigningStrategy(readKey(makeKey()))]).sign();
  await assert.rejects(readBundle(signedWebBundle), /the id is not that of a key that has signed/);
});

test('a path that leads out of the folder is not unpacked', async () => {
  const key = readKey(makeKey());
  const id = bundleId(key);
  const builder = new BundleBuilder('b2');
  for (const path of ['', '.well-known/manifest.webmanifest', '..%2f..%2fout%2fevil.js', 'x/../../evil.js']) {
    builder.addExchange(`isolated-app://${id}/${path}`, 200, { 'content-type': 'text/plain' }, '{"version": "1"}');
  }
  const { signedWebBundle } = await new IntegrityBlockSigner(builder.createBundle(), id,
    [new NodeCryptoSigningStrategy(key)]).sign();
  writeFileSync(join(scratch, 'evil.swbn'), signedWebBundle);
  const refused = bundle(['--verify', 'evil.swbn', '--unpack', 'evil/folder/of']);
  assert.equal(refused.status, 1, refused.stdout);
  assert.match(refused.stderr, /evil\.js leads out of the folder/);
  assert.ok(!existsSync(join(scratch, 'evil')));
});

test('what is no app is refused', async () => {
  const bad = async (/** @type {string} */ name, /** @type {Record<string, string>} */ files, /** @type {RegExp} */ text) =>
    assert.rejects(makeBundle(app(name, files), key), (error) => error instanceof BundleError && text.test(error.message));
  await bad('no version', { '.well-known/manifest.webmanifest': '{}' }, /version undefined/);
  await bad('bad version', { '.well-known/manifest.webmanifest': '{"version": "1.2-beta"}' }, /1\.2-beta/);
  await bad('no json', { '.well-known/manifest.webmanifest': 'nothing' }, /not JSON/);
  await bad('unknown', { 'thing.exe': 'x' }, /thing\.exe: no content type/);
  const empty = join(scratch, 'empty');
  mkdirSync(empty);
  await assert.rejects(makeBundle(empty, key), BundleError);
});

test('the address of updates goes into the manifest', async () => {
  const folder = app('updates');
  const { bytes } = await makeBundle(folder, key, { updateUrl: 'https://example.org/app/update.json' });
  const body = (await readBundle(bytes)).resources.get('/.well-known/manifest.webmanifest')?.body;
  assert.deepEqual(JSON.parse(Buffer.from(body ?? []).toString()),
    { ...manifest, update_manifest_url: 'https://example.org/app/update.json' });
  await makeBundle(folder, key, { updateUrl: 'http://localhost:8080/update.json' });
  for (const updateUrl of ['http://example.org/update.json', 'update.json', 'file:///update.json', '']) {
    await assert.rejects(makeBundle(folder, key, { updateUrl }), BundleError, updateUrl);
  }
});

test('keys: Ed25519 alone, encrypted or not', () => {
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  assert.throws(() => readKey(curve.export({ type: 'pkcs8', format: 'pem' }).toString()), /type ec; it has to be Ed25519/);
  assert.throws(() => readKey('nothing'), /not a private key in PEM/);
  assert.throws(() => readKey(createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()), BundleError);
  const locked = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open' }).toString();
  assert.throws(() => readKey(locked), /WEB_BUNDLE_SIGNING_PASSPHRASE/);
  assert.throws(() => readKey(locked, 'shut'), /passphrase is wrong/);
  assert.equal(bundleId(readKey(locked, 'open')), bundleId(key));
});

test('the update manifest: versions by their order, each once', () => {
  const first = updateManifest({ version: '1.2.0', src: 'one.swbn' });
  assert.deepEqual(JSON.parse(first), { versions: [{ version: '1.2.0', src: 'one.swbn' }] });
  const more = updateManifest({ version: '1.10.0', src: 'https://example.org/ten.swbn', channel: 'beta' }, first);
  const all = updateManifest({ version: '1.9', src: 'nine.swbn' }, more);
  assert.deepEqual(JSON.parse(all).versions, [
    { version: '1.2.0', src: 'one.swbn' },
    { version: '1.9', src: 'nine.swbn' },
    { version: '1.10.0', src: 'https://example.org/ten.swbn', channels: ['beta'] },
  ]);
  assert.equal(updateManifest({ version: '1.9', src: 'nine.swbn' }, all), all);
  assert.equal(JSON.parse(updateManifest({ version: '1.9', src: 'new.swbn' }, all)).versions.length, 3);
  const named = updateManifest({ version: '1', src: 'a' }, '{"channels": {"beta": {"name": "Beta"}}, "versions": []}');
  assert.equal(JSON.parse(named).channels.beta.name, 'Beta');
  for (const old of ['', '[]', '{}', '{"versions": 1}', 'null']) {
    assert.throws(() => updateManifest({ version: '1', src: 'a' }, old), BundleError, old);
  }
  assert.throws(() => updateManifest({ version: '1', src: 'http://example.org/a' }), BundleError);
});

/**
 * @param {string[]} args
 * @param {Record<string, string>} [more] of the environment
 */
function bundle(args, more = {}) {
  const env = { ...process.env, ...more };
  if (!('FORTNIGHT_SIGNING_KEY' in more)) delete env.FORTNIGHT_SIGNING_KEY;
  return spawnSync(process.execPath, [SCRIPT, ...args], { cwd: scratch, encoding: 'utf8', timeout: 60_000, env });
}

test('the command: a key is made, and kept; a bundle, and the same again', () => {
  const made = bundle(['--new-key', 'key.pem']);
  assert.equal(made.status, 0, made.stderr);
  assert.equal(statSync(join(scratch, 'key.pem')).mode & 0o777, 0o600);
  const again = bundle(['--new-key', 'key.pem']);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /key\.pem is there already/);

  const folder = app('command');
  const args = ['--app', folder, '--out', 'out/app.swbn'];
  const keyless = bundle(args);
  assert.equal(keyless.status, 1);
  assert.match(keyless.stderr, /make bundle ARGS="--new-key /);

  const signed = bundle([...args, '--key', 'key.pem']);
  assert.equal(signed.status, 0, signed.stderr);
  assert.equal(signed.stdout, made.stdout);
  assert.match(signed.stderr, /app\.swbn: version 1\.2\.3, 3 files, 0\.00 MB of at most 1\.2/);
  assert.deepEqual(JSON.parse(readFileSync(join(scratch, 'out/update.json'), 'utf8')),
    { versions: [{ version: '1.2.3', src: 'app.swbn' }] });
  const octets = readFileSync(join(scratch, 'out/app.swbn'));
  const pem = readFileSync(join(scratch, 'key.pem'), 'utf8');
  assert.equal(bundle(args, { FORTNIGHT_SIGNING_KEY: pem }).status, 0);
  assert.deepEqual(readFileSync(join(scratch, 'out/app.swbn')), octets);

  const checked = bundle(['--verify', 'out/app.swbn']);
  assert.equal(checked.status, 0, checked.stderr);
  assert.match(checked.stdout, new RegExp(`version 1\\.2\\.3, signed by the key of ${made.stdout.trim()}`));
  const unpacked = bundle(['--verify', 'out/app.swbn', '--unpack', 'out/app']);
  assert.equal(unpacked.status, 0, unpacked.stderr);
  for (const file of ['index.html', 'a b.js', '.well-known/manifest.webmanifest']) {
    assert.deepEqual(readFileSync(join(scratch, 'out/app', file)), readFileSync(join(folder, file)));
  }
  octets[octets.length - 30] ^= 1;
  writeFileSync(join(scratch, 'out/bad.swbn'), octets);
  const refused = bundle(['--verify', 'out/bad.swbn']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /not to be trusted/);
  assert.doesNotMatch(signed.stderr + signed.stdout + checked.stdout, /PRIVATE KEY/);
});
