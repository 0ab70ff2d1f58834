// SPDX-License-Identifier: Apache-2.0
// How a client is told to do its part of a case.

import { expect, step } from './step.mjs';

/** How long one step inside the client may take. */
const STEP_MS = 15_000;

/** How long a whole case may take: only a client that hangs meets this. */
const CASE_MS = 120_000;

/** The client stopped answering: nothing more can be asked of it. */
export class ClientHangs extends Error {}

/**
 * Has |client| run one case of page/cases.mjs.
 * @param {import('./clients/client.mjs').Client} client
 * @param {string} name
 * @param {object} params  with |url| and |hashes|
 */
export async function askClient(client, name, params) {
  /** @type {import('./page/cases.mjs').Answer} */
  let answer;
  try {
    answer = await step(`the client runs "${name}"`, client.run(name, {
      fin: client.traits.fin, stepMs: STEP_MS, ...params,
    }), CASE_MS);
  } catch (error) {
    throw new ClientHangs(/** @type {Error} */ (error).message);
  }
  expect(answer.ok, answer.error ?? 'no answer');
  return answer.result;
}
