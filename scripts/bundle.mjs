// SPDX-License-Identifier: Apache-2.0
/** `make bundle`: the app as a signed bundle that a person can install. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readPassphrase } from 'wbn-sign';
import { BUNDLE_MAX, BundleError, bundleId, makeBundle, makeKey, readKey, updateManifest }
  from '../manifest/bundle.mjs';
import { pack } from '../manifest/pack.mjs';
import { BadBundle, readBundle } from '../manifest/read_bundle.mjs';
import { stageIwa } from './stage-iwa.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const HELP = `usage: make bundle [ARGS="OPTION..."]

Builds Fortnight as a signed web bundle, build/fortnight.swbn, and an update
manifest to serve beside it, build/update.json.  The same sources and the same
key give the same octets.

  --key FILE         sign with this key: an Ed25519 private key in PEM, which
                     may be encrypted (default: what is in the environment's
                     FORTNIGHT_SIGNING_KEY, the PEM itself)
  --new-key FILE     make such a key, and do nothing else.  Keep it safe, and
                     keep it: it is what the app's address is made of
  --out FILE         the bundle (default build/fortnight.swbn)
  --update-url URL   where the update manifest will be served: the app will
                     name it
  --src URL          where the bundle will be served, for the update manifest
                     (default: its name, beside the update manifest)
  --update FILE      an update manifest to add this version to (default: a new
                     one, update.json beside the bundle)
  --channel NAME     the channel of this version (default: default)
  --app FOLDER       this folder and not the app as built from the sources
  --verify FILE      read a bundle, check its signature, list what is in it
  --unpack FOLDER    with --verify: write it there, for a browser that cannot
                     read bundles (docs/install.md)
  --help             this text

A passphrase is asked for, or taken from WEB_BUNDLE_SIGNING_PASSPHRASE.
`;

const NO_KEY = `there is no key to sign with.  Make one, once:

  make bundle ARGS="--new-key ~/fortnight.pem"

and sign with it, now and for each later version:

  make bundle ARGS="--key ~/fortnight.pem"`;

/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

/** @param {string} path */
const shown = (path) => {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
};

/** @param {string} path as the shell left it: within ARGS it does not see ~ */
const expand = (path) => resolve(path.replace(/^~(?=\/)/, process.env.HOME ?? '~'));

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(expand(path));
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new BundleError(code === 'ENOENT' ? `${path} does not exist` : message);
  }
}

/**
 * Whole or not at all.
 * @param {string} path
 * @param {string|Uint8Array} content
 */
function write(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
}

/** @param {string} path */
function newKey(path) {
  const file = expand(path);
  const pem = makeKey();
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new BundleError(code === 'EEXIST' ? `${path} is there already, and is left as it is` : message);
  }
  say(`${shown(file)}: a new signing key, for you alone to read`);
  console.log(`isolated-app://${bundleId(readKey(pem))}/`);
}

/** @param {string|undefined} file */
async function signingKey(file) {
  const pem = file === undefined ? process.env.FORTNIGHT_SIGNING_KEY : read(file).toString();
  if (!pem) throw new BundleError(NO_KEY);
  const encrypted = pem.includes('ENCRYPTED');
  let passphrase = encrypted ? process.env.WEB_BUNDLE_SIGNING_PASSPHRASE : undefined;
  if (encrypted && passphrase === undefined && process.stdin.isTTY) {
    passphrase = await readPassphrase(file ?? 'of FORTNIGHT_SIGNING_KEY');
  }
  return readKey(pem, passphrase);
}

/**
 * @template T
 * @param {(folder: string) => Promise<T>} use gets the app's folder, which is
 *     removed then
 */
async function withStaged(use) {
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const out = mkdtempSync(join(ROOT, 'build/bundle-'));
  try {
    const { folder } = stageIwa({ out });
    pack(folder);
    return await use(folder);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/**
 * @param {string} file
 * @param {string} [unpack]
 */
async function verify(file, unpack) {
  const { id, version, resources } = await readBundle(new Uint8Array(read(file)));
  if (unpack !== undefined) {
    const folder = expand(unpack);
    const files = [...resources].map(([path, { body }]) => {
      const to = join(folder, path.endsWith('/') ? `${path}index.html` : path);
      if (!to.startsWith(folder + sep)) throw new BadBundle(`${path} leads out of the folder`);
      return { to, body };
    });
    for (const { to, body } of files) write(to, body);
    say(`${shown(folder)}: the files of the bundle`);
  }
  for (const [path, { body }] of resources) console.log(`${String(body.length).padStart(9)}  ${path}`);
  console.log(`version ${version}, signed by the key of isolated-app://${id}/`);
}

/** @param {string[]} args */
function options(args) {
  try {
    return parseArgs({ args, options: {
      'key': { type: 'string' },
      'new-key': { type: 'string' },
      'out': { type: 'string' },
      'update-url': { type: 'string' },
      'src': { type: 'string' },
      'update': { type: 'string' },
      'channel': { type: 'string' },
      'app': { type: 'string' },
      'verify': { type: 'string' },
      'unpack': { type: 'string' },
      'help': { type: 'boolean' },
    } }).values;
  } catch (error) {
    throw new BundleError(/** @type {Error} */ (error).message.split('\n')[0]);
  }
}

/** @param {string[]} args */
async function main(args) {
  const values = options(args);
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (values.unpack !== undefined && values.verify === undefined) {
    throw new BundleError('--unpack goes with --verify');
  }
  if (values['new-key'] !== undefined) return newKey(values['new-key']);
  if (values.verify !== undefined) return verify(values.verify, values.unpack);
  const key = await signingKey(values.key);
  const out = expand(values.out ?? join(ROOT, 'build/fortnight.swbn'));
  const update = expand(values.update ?? join(dirname(out), 'update.json'));
  const make = (/** @type {string} */ folder) => makeBundle(folder, key, { updateUrl: values['update-url'] });
  const { id, version, bytes, files } = await (values.app ? make(expand(values.app)) : withStaged(make));
  // The manifest first: what is refused there leaves no bundle behind.
  const old = values.update !== undefined && existsSync(update) ? readFileSync(update, 'utf8') : undefined;
  const manifest = updateManifest({ version, src: values.src ?? basename(out), channel: values.channel }, old);
  await readBundle(bytes);
  write(out, bytes);
  write(update, manifest);
  say(`${shown(out)}: version ${version}, ${files} files, ${(bytes.length / 1e6).toFixed(2)} MB of at most ${
    BUNDLE_MAX / 1e6}`);
  say(`${shown(update)}: the update manifest`);
  console.log(`isolated-app://${id}/`);
}

main(process.argv.slice(2)).catch((error) => {
  if (error instanceof BundleError) say(`fortnight: ${error.message}`);
  else if (error instanceof BadBundle) say(`fortnight: this bundle is not to be trusted: ${error.message}`);
  else say(`fortnight: ${process.env.DEBUG ? error.stack : error.message.split('\n')[0]}`);
  process.exitCode = 1;
});
