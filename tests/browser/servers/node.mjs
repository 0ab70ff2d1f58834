// SPDX-License-Identifier: Apache-2.0
// (b) the WASM on Node.

import { IMPORT } from '../../clock/clock.mjs';
import { native } from './native.mjs';
import { ROOT } from './server.mjs';

/** @type {import('./server.mjs').Kind} */
export const node = {
  name: 'node',
  process: (args) => ({
    name: 'node',
    command: process.execPath,
    args: ['scripts/serve-wasm.mjs', '--drain', '0', ...args],
    cwd: ROOT,
  }),
  readyMs: 30_000,
  clocked: (process, clock) => ({
    ...process,
    args: ['--import', IMPORT, .../** @type {string[]} */ (process.args)],
    env: { ...process.env, ...clock.node },
  }),
  rotateProgram: native.rotateProgram,
};
