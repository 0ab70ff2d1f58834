// SPDX-License-Identifier: Apache-2.0
// (b) the WASM on Node.

import { native } from './native.mjs';
import { ROOT } from './server.mjs';

/** @type {import('./server.mjs').Kind} */
export const node = {
  name: 'node',
  process: (args) => ({
    name: 'node',
    command: process.execPath,
    args: ['scripts/serve-wasm.mjs', ...args],
    cwd: ROOT,
  }),
  readyMs: 30_000,
  rotateProgram: native.rotateProgram,
};
