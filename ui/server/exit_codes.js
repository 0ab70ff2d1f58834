// SPDX-License-Identifier: Apache-2.0
/**
 * The exit codes that every host of the appliance shares: the native program,
 * the WASM appliance on Node, and `make run`.
 */

/** @type {Readonly<Record<import('./types.d.ts').ErrorCode, number>>} */
export const EXIT_CODES = Object.freeze({
  'internal': 1,
  'bad-option': 2,
  'port-busy': 3,
  'permission-denied': 4,
  'address-not-available': 5,
  'control-refused': 6,
  'state-refused': 7,
});

/**
 * The exit code for an error, whatever it is.
 * @param {unknown} error
 * @returns {number}
 */
export function exitCodeOf(error) {
  const code = /** @type {{code?: unknown}|null|undefined} */ (error)?.code;
  return typeof code === 'string' && Object.hasOwn(EXIT_CODES, code)
    ? EXIT_CODES[/** @type {import('./types.d.ts').ErrorCode} */ (code)] : 1;
}

/**
 * The error code that an exit code stands for.
 * @param {number} exitCode
 * @returns {import('./types.d.ts').ErrorCode}
 */
export function errorCodeOf(exitCode) {
  for (const [code, value] of Object.entries(EXIT_CODES)) {
    if (value === exitCode) {
      return /** @type {import('./types.d.ts').ErrorCode} */ (code);
    }
  }
  return 'internal';
}

/** An error of the appliance: why it cannot serve, or can serve no longer. */
export class ApplianceError extends Error {
  /**
   * @param {import('./types.d.ts').ErrorCode} code
   * @param {string} text one line, for a person
   */
  constructor(code, text) {
    super(text);
    this.name = 'ApplianceError';
    this.code = code;
  }
}
