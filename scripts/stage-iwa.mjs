// SPDX-License-Identifier: Apache-2.0
/**
 * Lays out the Isolated Web App's folder: the page as Vite builds it, the
 * worker's modules as they are, manifest/ and build/wasm/.  Copies what has
 * changed and removes what has gone, so that it is cheap enough to run before
 * every launch.
 *
 *   node scripts/stage-iwa.mjs [--out build/iwa] [--wasm build/wasm]
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync,
  utimesSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildPage } from './build-page.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/* What is needed to build and test, and not to run. */
const LEFT_OUT = /\.(test\.mjs|d\.ts|md)$/;

/**
 * @param {{out?: string, wasm?: string}} [folders]
 * @returns {{folder: string, copied: number, removed: number}}
 */
export function stageIwa({ out = join(ROOT, 'build/iwa'), wasm = join(ROOT, 'build/wasm') } = {}) {
  const folder = resolve(out);
  /** @type {Map<string, string>} from the path in the app to its source */
  const wanted = new Map();
  const add = (/** @type {string} */ from, /** @type {string} */ to) => {
    if (!existsSync(from)) {
      throw new Error(`${relative(process.cwd(), from)} is missing: run make first`);
    }
    wanted.set(to, from);
  };
  for (const file of ['fortnight.mjs', 'fortnight.wasm', 'licenses.txt']) {
    add(join(resolve(wasm), file), file);
  }
  const page = buildPage();
  for (const file of filesOf(page)) add(join(page, file), file);
  for (const file of filesOf(join(ROOT, 'ui/server'))) {
    if (!LEFT_OUT.test(file)) add(join(ROOT, 'ui/server', file), join('server', file));
  }
  for (const file of filesOf(join(ROOT, 'manifest/icons'))) {
    add(join(ROOT, 'manifest/icons', file), join('icons', file));
  }
  add(join(ROOT, 'manifest/manifest.webmanifest'), join('.well-known', 'manifest.webmanifest'));

  let copied = 0;
  for (const [to, from] of wanted) {
    const target = join(folder, to);
    if (same(from, target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(from, target);
    const { atime, mtime } = statSync(from);
    utimesSync(target, atime, mtime);
    copied++;
  }
  let removed = 0;
  for (const file of existsSync(folder) ? filesOf(folder) : []) {
    if (wanted.has(file)) continue;
    rmSync(join(folder, file));
    removed++;
  }
  return { folder, copied, removed };
}

/**
 * @param {string} folder
 * @returns {string[]} the files below it, relative to it
 */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(resolve(folder).length + sep.length));
}

/**
 * @param {string} from
 * @param {string} to
 * @returns {boolean} whether |to| is a copy of |from|
 */
function same(from, to) {
  if (!existsSync(to)) return false;
  const a = statSync(from);
  const b = statSync(to);
  if (a.size !== b.size) return false;
  return Math.abs(a.mtimeMs - b.mtimeMs) < 2 || readFileSync(from).equals(readFileSync(to));
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: {
    out: { type: 'string' }, wasm: { type: 'string' } } });
  const { folder, copied, removed } = stageIwa(values);
  console.error(`${relative(process.cwd(), folder) || '.'}: ${copied} copied, ${removed} removed`);
}
