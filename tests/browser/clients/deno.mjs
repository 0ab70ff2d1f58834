// SPDX-License-Identifier: Apache-2.0
// Deno, whose WebTransport is quinn's.  What it cannot do (2.9, read in its
// ext/web/webtransport.js and seen):
// - a writable's close() sends no FIN, abort() and cancel() send nothing;
// - close() closes the QUIC connection with the code instead of sending a
//   CLOSE capsule, and a CLOSE capsule that comes is not read;
// - an empty datagram that comes is an uncaught TypeError that ends Deno.

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from '../process.mjs';
import { step } from '../step.mjs';

const PROGRAM = fileURLToPath(new URL('../page/deno.mjs', import.meta.url));

/** The program inside the npm package of this platform. */
function findDeno() {
  if (process.env.DENO) return process.env.DENO;
  return join(dirname(createRequire(import.meta.url).resolve(
    `@deno/linux-${process.arch}-glibc/package.json`)), 'deno');
}

/**
 * @param {string} [program]
 * @param {string[]} [options]  of Deno
 * @returns {Promise<import('./client.mjs').Client>}
 */
export async function startDeno(program = PROGRAM, options = []) {
  const running = start({
    name: 'deno',
    command: findDeno(),
    args: ['run', '--quiet', '--no-config', '--no-lock', '--no-remote', '-A',
      '--unstable-net', ...options, program],
    env: { DENO_NO_UPDATE_CHECK: '1' },
    // DENO_DIR follows HOME, which is the process's own folder.
  });
  /** @type {Map<number, (answer: import('./client.mjs').Answer) => void>} */
  const waiting = new Map();
  let last = 0;
  running.onLine((line) => {
    const { id, ...answer } = JSON.parse(line);
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  running.exited.then(() => {
    for (const [, done] of waiting) {
      done({ ok: false, error: `Deno has ended: ${running.stderr().trim()}` });
    }
    waiting.clear();
  }, () => {});
  return {
    name: 'deno',
    traits: {
      fin: false, capsules: false, noCapsules: true, goodbye: false, resets: false,
      resetCodes: false, stops: false, waits: true,
      emptyDatagrams: false,
    },
    run: (name, params) => new Promise((resolve) => {
      const id = ++last;
      waiting.set(id, resolve);
      running.stdin.write(`${JSON.stringify({ id, name, params })}\n`);
    }),
    async stop() {
      running.stdin.end();
      await step('ending Deno', running.exited);
      await running.scratch.gone('Deno left nothing behind');
    },
    async keep(folder) {
      writeFileSync(join(folder, 'deno.txt'), running.stderr());
    },
    remove: () => running.scratch.remove(),
  };
}
