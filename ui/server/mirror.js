// SPDX-License-Identifier: Apache-2.0
/**
 * Puts each new document to an https URL of the person's choice, so that a
 * client that stayed away for too long finds the hashes there.  Where that is
 * needs no trust: the document is signed.
 *
 * Only the newest document counts.  What fails is tried again, at ever longer
 * intervals; nothing waits for it.
 */

/* In milliseconds; the last goes on for ever. */
const DELAYS = Object.freeze([5_000, 30_000, 120_000, 600_000, 3_600_000]);

/* A server that takes longer than this has failed. */
const PATIENCE_MS = 30_000;

export class Mirror {
  #url;
  #tell;
  #delays;
  /** @type {string|undefined} what is to be put */
  #document;
  #putting = false;
  #failures = 0;
  #over = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;

  /**
   * @param {object} init
   * @param {string} init.url
   * @param {(level: 'info'|'warning', text: string) => void} init.tell gets the
   *     first failure in a row, and the success after it
   * @param {readonly number[]} [init.delays] for tests
   */
  constructor({ url, tell, delays = DELAYS }) {
    this.#url = url;
    this.#tell = tell;
    this.#delays = delays;
  }

  /** @param {string} jws '' withdraws what was there before */
  publish(jws) {
    this.#document = jws;
    this.#put();
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  async #put() {
    if (this.#putting || this.#over) return;
    clearTimeout(this.#timer);
    this.#putting = true;
    while (this.#document !== undefined && !this.#over) {
      const document = this.#document;
      const why = await put(this.#url, document);
      if (why === '') {
        if (this.#document === document) this.#document = undefined;
        if (this.#failures > 0) this.#tell('info', 'the mirror has the hashes again');
        this.#failures = 0;
        continue;
      }
      if (this.#failures++ === 0) this.#tell('warning', `the mirror did not take the hashes: ${why}; it is tried again`);
      const delay = this.#delays[Math.min(this.#failures, this.#delays.length) - 1];
      if (!this.#over) this.#timer = setTimeout(() => this.#put(), delay);
      break;
    }
    this.#putting = false;
  }
}

/**
 * @param {string} url
 * @param {string} document
 * @returns {Promise<string>} why it failed; '' if it did not
 */
async function put(url, document) {
  try {
    const response = await fetch(url, {
      method: 'PUT', body: document, headers: { 'content-type': 'application/jose' },
      credentials: 'omit', cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return response.ok ? '' : `it answered ${response.status}`;
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    return name === 'TimeoutError' ? `no answer in ${PATIENCE_MS / 1000} s` : message;
  }
}
