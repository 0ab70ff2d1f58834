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
 * @param {'stream'|'session'} source
 * @param {number|null} streamErrorCode
 * @returns {WebTransportErrorLike}
 */
function make(message, source, streamErrorCode) {
  try {
    return new WebTransportError(message, { source, streamErrorCode });
  } catch {
    // As it was before: Chromium 156 takes one dictionary, without a source.
    const error = new WebTransportError(/** @type {any} */ ({ message, streamErrorCode: streamErrorCode ?? undefined }));
    return Object.defineProperty(error, 'source', { value: source });
  }
}

/**
 * @param {string} message
 * @param {number} code
 */
export const streamError = (message, code) => make(message, 'stream', code);

/** @param {string} message */
export const sessionError = (message) => make(message, 'session', null);

/**
 * @param {any} reason of an abort() or a cancel()
 * @returns {number} the code that the peer is told
 */
export function codeOf(reason) {
  const code = reason instanceof WebTransportError ? reason.streamErrorCode : 0;
  return typeof code === 'number' && code >= 0 && code <= 0xffffffff ? code : 0;
}
