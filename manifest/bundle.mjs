// SPDX-License-Identifier: Apache-2.0
/**
 * The app as a Signed Web Bundle, and the update manifest that goes with it.
 *
 * The same folder and the same key give the same octets, on any machine: the
 * files go in by the order of their names, nothing carries a time, and an
 * Ed25519 signature is a function of the key and what it signs.
 *
 * Web Bundle: draft-ietf-wpack-bundled-responses (format b2); its signature:
 * the integrity block, version 2b, of github.com/WICG/webpackage; the update
 * manifest: Updates.md of github.com/WICG/isolated-web-apps.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { BundleBuilder } from 'wbn';
import { IntegrityBlockSigner, NodeCryptoSigningStrategy, WebBundleId } from 'wbn-sign';

/** @typedef {import('node:crypto').KeyObject} KeyObject */

/** What a bundle may weigh, in octets. */
export const BUNDLE_MAX = 1_200_000;

const MANIFEST = '.well-known/manifest.webmanifest';

/** @type {Readonly<Record<string, string>>} */
const TYPES = Object.freeze({
  '.css': 'text/css; charset=utf-8',
  '.gz': 'application/gzip',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
});

/*
 * What an Isolated Web App's pages and workers are held to.  The browser sets
 * it too; but what reads the bundle may be another.
 */
const HEADERS = Object.freeze({
  'content-security-policy': [
    "base-uri 'none'", "default-src 'self'", "object-src 'none'",
    "frame-src 'self' https: blob: data:", "connect-src 'self' https: wss: blob: data:",
    "script-src 'self' 'wasm-unsafe-eval'", "img-src 'self' https: blob: data:",
    "media-src 'self' https: blob: data:", "font-src 'self' blob: data:",
    "style-src 'self' 'unsafe-inline'", "require-trusted-types-for 'script'", "frame-ancestors 'self'",
  ].join('; '),
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
});

/** For a person: what was given cannot be used, and why. */
export class BundleError extends Error {}

/** @returns {string} a new signing key, in PEM (PKCS #8); it is a secret */
export function makeKey() {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * @param {string} pem
 * @param {string} [passphrase] if the key is encrypted
 * @returns {KeyObject}
 * @throws {BundleError} it is no key that can sign a bundle
 */
export function readKey(pem, passphrase) {
  if (passphrase === undefined && pem.includes('ENCRYPTED')) {
    throw new BundleError('the signing key is encrypted: set WEB_BUNDLE_SIGNING_PASSPHRASE');
  }
  /** @type {KeyObject} */
  let key;
  try {
    key = createPrivateKey({ key: pem, passphrase });
  } catch {
    // OpenSSL's words would say little, and it is a secret that it has read.
    throw new BundleError(passphrase === undefined ? 'the signing key is not a private key in PEM'
      : 'the signing key is not a private key in PEM, or the passphrase is wrong');
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new BundleError(`the signing key is of type ${key.asymmetricKeyType}; it has to be Ed25519,`
      + ' whose signatures can be reproduced');
  }
  return key;
}

/**
 * @param {KeyObject} key
 * @returns {string} the app's id: its origin is isolated-app://ID
 */
export function bundleId(key) {
  return new WebBundleId(key).serialize();
}

/**
 * Signs a folder.
 *
 * @param {string} folder the app as it is to be served, index.html as its '/'
 * @param {KeyObject} key an Ed25519 private key
 * @param {object} [options]
 * @param {string} [options.updateUrl] where the update manifest will be found;
 *     the app's manifest names it
 * @returns {Promise<{id: string, version: string, bytes: Uint8Array, files: number}>}
 * @throws {BundleError} the folder is not an app, or |updateUrl| not a URL
 */
export async function makeBundle(folder, key, { updateUrl } = {}) {
  const id = bundleId(key);
  const builder = new BundleBuilder('b2');
  const files = filesOf(folder);
  for (const file of ['index.html', MANIFEST]) {
    if (!files.includes(file)) throw new BundleError(`${join(folder, file)} is missing`);
  }
  let version = '';
  for (const file of files) {
    const type = TYPES[extname(file)];
    if (!type) throw new BundleError(`${join(folder, file)}: no content type is known for it`);
    let bytes = new Uint8Array(readFileSync(join(folder, file)));
    if (file === MANIFEST) ({ bytes, version } = manifestOf(bytes, updateUrl));
    const path = file === 'index.html' ? '' : file.split('/').map(encodeURIComponent).join('/');
    builder.addExchange(`isolated-app://${id}/${path}`, 200, { 'content-type': type, ...HEADERS }, bytes);
  }
  const { signedWebBundle } = await new IntegrityBlockSigner(builder.createBundle(), id,
    [new NodeCryptoSigningStrategy(key)]).sign();
  return { id, version, bytes: signedWebBundle, files: files.length };
}

/**
 * @param {Uint8Array} bytes the app's manifest
 * @param {string} [updateUrl]
 */
function manifestOf(bytes, updateUrl) {
  /** @type {{version?: unknown, update_manifest_url?: string}} */
  let manifest;
  try {
    manifest = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new BundleError(`${MANIFEST} is not JSON`);
  }
  const { version } = manifest;
  if (!isVersion(version)) {
    throw new BundleError(`${MANIFEST}: version ${JSON.stringify(version)} is not one to four numbers`);
  }
  if (updateUrl === undefined) return { bytes: new Uint8Array(bytes), version };
  manifest.update_manifest_url = trustworthy(updateUrl);
  return { bytes: new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`), version };
}

/**
 * @param {unknown} version
 * @returns {version is string}
 */
function isVersion(version) {
  return typeof version === 'string' && /^(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){0,3}$/.test(version);
}

/**
 * @param {string} text
 * @returns {string} the URL, if Chromium would fetch an update from it
 */
function trustworthy(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = url && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && local))) {
    throw new BundleError(`${text}: give an https: URL (http: is for localhost alone)`);
  }
  return url.href;
}

/**
 * Adds a version to an update manifest.
 *
 * @param {object} entry
 * @param {string} entry.version
 * @param {string} entry.src where the bundle is, a URL or relative to the
 *     update manifest's
 * @param {string} [entry.channel]
 * @param {string} [old] the update manifest up to now
 * @returns {string} the update manifest, as text
 * @throws {BundleError} one of them cannot be used
 */
export function updateManifest({ version, src, channel = 'default' }, old) {
  /** @type {{versions?: unknown}} */
  let manifest = { versions: [] };
  if (old !== undefined) {
    try {
      manifest = JSON.parse(old);
    } catch {
      throw new BundleError('the update manifest is not JSON');
    }
  }
  const versions = manifest?.versions;
  if (!Array.isArray(versions)) throw new BundleError('the update manifest has no list of versions');
  if (URL.canParse(src)) trustworthy(src);
  if (channel === '') throw new BundleError('a channel needs a name');
  const others = versions.filter((it) => it?.version !== version);
  others.push(channel === 'default' ? { version, src } : { version, src, channels: [channel] });
  others.sort((a, b) => compare(String(a?.version), String(b?.version)));
  return `${JSON.stringify({ ...manifest, versions: others }, null, 2)}\n`;
}

/**
 * @param {string} a
 * @param {string} b
 * @returns {number} below 0 if version |a| comes before |b|
 */
function compare(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference) return difference;
  }
  return 0;
}

/**
 * @param {string} folder
 * @returns {string[]} the files below it, in an order that no locale changes
 */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort((a, b) => (a < b ? -1 : 1));
}
