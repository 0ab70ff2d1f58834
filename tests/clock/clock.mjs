// SPDX-License-Identifier: Apache-2.0
// A wall clock that a test can move under a program that runs.

import { closeSync, openSync, writeSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What shifts the clock of a native program, and of one on Node. */
export const PRELOAD = `${ROOT}build/native/tests/clock/clock_posix.so`;
export const IMPORT = pathToFileURL(`${ROOT}tests/clock/shift.mjs`).href;

/**
 * @typedef {object} Clock
 * @property {Record<string, string>} native  the variables for a native program
 * @property {Record<string, string>} node    those for a program on Node, which
 *     needs "--import IMPORT" too
 * @property {() => number} offset  seconds from the true time; it begins with 0
 * @property {(seconds: number) => void} set   to so much from the true time
 * @property {(seconds: number) => void} move  forward, or back if negative
 * @property {() => number} now  what it shows, in seconds since 1970 UTC
 * @property {() => void} close
 */

/**
 * @param {string} path  a file that is made for it
 * @returns {Clock}
 */
export function makeClock(path) {
  const fd = openSync(path, 'wx', 0o600);
  let offset = 0;
  const set = (/** @type {number} */ seconds) => {
    if (!Number.isSafeInteger(seconds)) throw new Error(`no whole seconds: ${seconds}`);
    offset = seconds;
    const value = BigInt(seconds);
    writeSync(fd, BigInt64Array.of(value, ~value), 0, 16, 0);
  };
  set(0);
  return {
    native: { LD_PRELOAD: PRELOAD, FORTNIGHT_TEST_CLOCK: path },
    node: { FORTNIGHT_TEST_CLOCK: path },
    offset: () => offset,
    set,
    move: (seconds) => set(offset + seconds),
    now: () => Math.floor(Date.now() / 1000) + offset,
    close: () => closeSync(fd),
  };
}
