// SPDX-License-Identifier: Apache-2.0
/** The event log: bounded, filtered, and written out. */

const MAX = 500;

const GRAVE = new Set(['warning', 'error']);

/** @typedef {{id: number, level: string, text: string, at: Date}} Line */

/** Which levels are shown. */
export const LEVELS = Object.freeze({
  all: 'Everything',
  warning: 'Warnings',
  error: 'Errors',
});

export class Log {
  /** @type {Line[]} */
  lines = [];
  /** What a line has to contain, in whatever case. */
  text = '';
  /** @type {keyof LEVELS} */
  level = 'all';
  #lastId = 0;

  /**
   * @param {string} level
   * @param {string} text
   * @param {Date} [at]
   */
  add(level, text, at = new Date()) {
    this.lines.push({ id: ++this.#lastId, level, text, at });
    if (this.lines.length > MAX) this.lines.shift();
  }

  clear() {
    this.lines = [];
  }

  /** @returns {Line[]} those that pass the filter */
  get shown() {
    const wanted = this.text.trim().toLowerCase();
    if (wanted === '' && this.level === 'all') return this.lines;
    return this.lines.filter(({ level, text }) => (this.level === 'all' || level === 'error'
      || (this.level === 'warning' && GRAVE.has(level))) && words(level, text).toLowerCase().includes(wanted));
  }

  /** @returns {string} a line each: time in UTC, level, text, by tabs */
  export() {
    return this.shown.map(({ level, text, at }) => `${at.toISOString()}\t${level}\t${text}\n`).join('');
  }
}

/**
 * @param {string} level
 * @param {string} text
 * @returns {string} as it is shown
 */
export const words = (level, text) => (GRAVE.has(level) ? `${level}: ${text}` : text);
