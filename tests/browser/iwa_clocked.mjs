// SPDX-License-Identifier: Apache-2.0
// Chromium with a wall clock that a test can move, from without: for the app,
// of which nothing is changed, and for its clients.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findChromium } from '../../scripts/launch-iwa.mjs';
import { makeClock } from '../clock/clock.mjs';
import { makeScratch } from './process.mjs';
import { expectEqual, until } from './step.mjs';

/*
 * What Playwright and launch-iwa.mjs give, so that a browser that nobody looks
 * at does as if somebody did.
 */
const SHOWN = ['--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding'];

/** @param {number} pid */
const parentOf = (pid) => Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** @param {number} pid whether it is not the crash handler, which leaves its parent */
const isBrowser = (pid) => !readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0].includes('crashpad');

/** @param {string} text */
const quote = (text) => `'${text.replaceAll('\'', '\'\\\'\'')}'`;

/**
 * @typedef {object} Clocked
 * @property {string} executablePath what to start instead of Chromium; one
 *     browser at a time
 * @property {string} folder that goes with it
 * @property {import('../clock/clock.mjs').Clock} clock
 * @property {() => void} pause   stops every process of it, as a machine that
 *     goes to sleep does
 * @property {() => void} resume
 * @property {() => Promise<void>} kill  ends the browser's process as a crash
 *     does, and waits until all the others are gone
 * @property {() => void} remove
 */

/**
 * @param {string} name
 * @returns {Clocked}
 */
export function makeClocked(name) {
  const scratch = makeScratch(name);
  const executablePath = join(scratch.folder, 'chromium');
  const clock = makeClock(join(scratch.folder, 'clock'));
  const mark = 'FORTNIGHT_TEST_MARK';
  const variables = Object.entries({ ...clock.native, [mark]: scratch.env[mark] });
  writeFileSync(executablePath, `#!/bin/sh
for option do
  shift
  case $option in
    ${SHOWN.join('|')}) ;;
    *) set -- "$@" "$option" ;;
  esac
done
export ${variables.map(([key, value]) => `${key}=${quote(value)}`).join(' ')}
exec ${quote(findChromium())} "$@"
`, { mode: 0o755 });
  const signal = (/** @type {NodeJS.Signals} */ what) => {
    for (const { pid } of scratch.family()) {
      try {
        process.kill(pid, what);
      } catch (error) {
        // One that has just ended need not sleep, nor the sandbox's own helper.
        if (!['ESRCH', 'EPERM'].includes(String(/** @type {NodeJS.ErrnoException} */ (error).code))) throw error;
      }
    }
  };
  return {
    executablePath,
    folder: scratch.folder,
    clock,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async kill() {
      const pids = scratch.family().map(({ pid }) => pid);
      // The one that none of the others has started.
      const first = pids.filter((pid) => !pids.includes(parentOf(pid)) && isBrowser(pid));
      expectEqual(first.length, 1, 'the number of browsers');
      process.kill(first[0], 'SIGKILL');
      await until('the browser’s processes end with it', () => scratch.family().length === 0, 20_000);
    },
    remove() {
      scratch.remove();
      clock.close();
    },
  };
}
