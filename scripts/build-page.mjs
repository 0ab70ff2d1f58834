// SPDX-License-Identifier: Apache-2.0
/**
 * Has Vite build the page (ui/app/vite.config.mjs), unless it has been built
 * from the very same sources before: then that is all there is to do, and it
 * costs some milliseconds.
 *
 *   node scripts/build-page.mjs    prints the folder
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILT = join(ROOT, 'build/page');
const VITE = join(ROOT, 'node_modules/vite/bin/vite.js');
const CONFIG = 'ui/app/vite.config.mjs';

/* What the page is made of, beside the libraries of the lock. */
const SOURCES = ['ui/app', 'ui/server'];
const SOURCE = /(?<!\.test)\.(js|mjs|css|html)$/;

/* Builds of other sources that stay: of a branch that one comes back to. */
const KEPT = 4;

/** @returns {string} the folder with index.html and app/ */
export function buildPage() {
  const folder = join(BUILT, keyOf());
  if (existsSync(folder)) return folder;
  if (!existsSync(VITE)) throw new Error('Vite is missing: run make first');
  mkdirSync(BUILT, { recursive: true });
  // Several may build it at once; whoever is first is right.
  const draft = `${folder}.${process.pid}`;
  const { status, stderr, stdout } = spawnSync(process.execPath,
    [VITE, 'build', '--config', CONFIG, '--outDir', draft], { cwd: ROOT, encoding: 'utf8', timeout: 120_000 });
  if (status !== 0) {
    rmSync(draft, { recursive: true, force: true });
    throw new Error(`Vite did not build the page:\n${stdout}${stderr}`);
  }
  try {
    renameSync(draft, folder);
  } catch {
    rmSync(draft, { recursive: true, force: true });
  }
  sweep(folder);
  return folder;
}

/** @returns {string} the same for the same sources, libraries and set-up */
function keyOf() {
  const hash = createHash('sha256');
  const files = SOURCES.flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => SOURCE.test(name)).map((name) => `${folder}/${name}`));
  for (const file of [...files.sort(), 'package-lock.json', 'scripts/build-page.mjs']) {
    const text = readFileSync(join(ROOT, file));
    hash.update(`${file}\0${text.length}\0`).update(text);
  }
  return hash.digest('hex').slice(0, 16);
}

/** @param {string} current */
function sweep(current) {
  const old = readdirSync(BUILT).map((name) => join(BUILT, name)).filter((path) => path !== current)
    .map((path) => ({ path, time: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.time - a.time);
  for (const { path } of old.slice(KEPT)) rmSync(path, { recursive: true, force: true });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  console.log(relative(process.cwd(), buildPage()));
}
