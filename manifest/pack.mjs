// SPDX-License-Identifier: Apache-2.0
/** Makes a staged folder ready for a bundle: small (see packed.mjs), and with its terms. */
import { copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PACKED = join(ROOT, 'manifest/packed.mjs');

/**
 * Compresses the WebAssembly in a folder that scripts/stage-iwa.mjs has laid
 * out just now, and adds what it is passed on under.
 * @param {string} folder
 */
export function pack(folder) {
  const wasm = join(folder, 'fortnight.wasm');
  // No time and no name is in it: the same octets in, the same out.
  writeFileSync(`${wasm}.gz`, gzipSync(readFileSync(wasm), { level: constants.Z_BEST_COMPRESSION }));
  rmSync(wasm);
  const module = join(folder, 'fortnight.mjs');
  renameSync(module, join(folder, 'fortnight_plain.mjs'));
  copyFileSync(PACKED, module);
  for (const name of ['LICENSE', 'NOTICE']) {
    copyFileSync(join(ROOT, name), join(folder, `${name}.txt`));
  }
}
