// SPDX-License-Identifier: Apache-2.0
// (a) the native program.

import { join } from 'node:path';
import { ROOT } from './server.mjs';

const PROGRAM = join(ROOT, process.env.FORTNIGHT ?? 'build/native/fortnight');

/** @type {import('./server.mjs').Kind} */
export const native = {
  name: 'native',
  process: (args) => ({
    name: 'native', command: PROGRAM, args: ['serve', '--drain', '0', ...args], cwd: ROOT,
  }),
  readyMs: 20_000,
  clocked: (process, clock) => ({ ...process, env: { ...process.env, ...clock.native } }),
  rotateProgram: (control) => ({
    name: 'rotate', command: PROGRAM,
    args: ['rotate', '--force', '--json', '--control', control], cwd: ROOT,
  }),
};
