// SPDX-License-Identifier: Apache-2.0
// What the runner wants of a client.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** @typedef {import('../page/cases.mjs').Answer} Answer */

/**
 * @typedef {object} Client
 * @property {string} name
 * @property {Traits} traits
 * @property {(name: string, params: object) => Promise<Answer>} run
 *     one case of page/cases.mjs
 * @property {() => Promise<unknown>} [reload]  leaves the page and loads it anew
 * @property {() => Promise<void>} stop  ends it; fails if a process stays
 * @property {(folder: string) => Promise<void>} keep  after stop(): writes
 *     what may explain a failure into |folder|
 * @property {() => void} remove  its profile folder, and whatever still runs
 */

/**
 * What a client does of the W3C API.  False is a known fault of the client,
 * and the cases that need it are not run with it.
 * @typedef {object} Traits
 * @property {boolean} fin        the end of a stream that it sent is sent
 * @property {boolean} capsules   CLOSE is sent and understood, not the
 *     connection torn down
 * @property {boolean} noCapsules  the contrary
 * @property {boolean} goodbye    it has pages, and ends the sessions of one
 *     that goes
 * @property {boolean} resets     abort() sends RESET_STREAM
 * @property {boolean} resetCodes the code of a RESET_STREAM that came is told
 * @property {boolean} stops      cancel() sends STOP_SENDING, and one that came
 *     is told with its code
 * @property {boolean} waits      a stream beyond the peer's limit is opened
 *     when the peer allows it
 * @property {boolean} emptyDatagrams  an empty datagram may come
 */

/**
 * The first of |names| on PATH.
 * @param {string | undefined} given  what the user wants instead
 * @param {string[]} names
 */
export function findProgram(given, names) {
  if (given) return given;
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here.
      }
    }
  }
  throw new Error(`none of ${names.join(', ')} is on PATH`);
}
