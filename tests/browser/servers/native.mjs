// SPDX-License-Identifier: Apache-2.0
// (a) the native program.

import { join } from 'node:path';
import { ROOT } from './server.mjs';

/**
 * For one that was built with sanitizers (make browser SANITIZE=1).  The clock
 * that can be moved is loaded before them.
 */
const SANITIZERS = {
  ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:verify_asan_link_order=0',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

const PROGRAM = join(ROOT, process.env.FORTNIGHT ?? 'build/native/fortnight');

/** @type {import('./server.mjs').Kind} */
export const native = {
  name: 'native',
  process: (args) => ({
    name: 'native', command: PROGRAM, args: ['serve', '--drain', '0', ...args], cwd: ROOT,
    env: SANITIZERS,
  }),
  readyMs: 20_000,
  clocked: (process, clock) => ({ ...process, env: { ...process.env, ...clock.native } }),
  rotateProgram: (control) => ({
    name: 'rotate', command: PROGRAM,
    args: ['rotate', '--force', '--json', '--control', control], cwd: ROOT,
    env: SANITIZERS,
  }),
};
