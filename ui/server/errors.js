// SPDX-License-Identifier: Apache-2.0

/**
 * The WebTransportError of the W3C where the platform has it, else (Node.js)
 * one like it.
 * @typedef {Error & {source: 'stream'|'session', streamErrorCode: number|null}} WebTransportErrorLike
 */

/** @type {new (message?: string, options?: {source?: 'stream'|'session', streamErrorCode?: number|null}) => WebTransportErrorLike} */
export const WebTransportError = /** @type {any} */ (globalThis).WebTransportError
  ?? class WebTransportError extends Error {
    /**
     * @param {string} [message]
     * @param {{source?: 'stream'|'session', streamErrorCode?: number|null}} [options]
     */
    constructor(message, { source = 'stream', streamErrorCode = null } = {}) {
      super(message);
      this.name = 'WebTransportError';
      this.source = source;
      this.streamErrorCode = streamErrorCode;
    }
  };

/**
 * @param {string} message
 * @param {number} code
 */
export const streamError = (message, code) =>
  new WebTransportError(message, { source: 'stream', streamErrorCode: code });

/** @param {string} message */
export const sessionError = (message) => new WebTransportError(message, { source: 'session' });

/**
 * @param {any} reason of an abort() or a cancel()
 * @returns {number} the code that the peer is told
 */
export function codeOf(reason) {
  const code = reason instanceof WebTransportError ? reason.streamErrorCode : 0;
  return typeof code === 'number' && code >= 0 && code <= 0xffffffff ? code : 0;
}
