// SPDX-License-Identifier: Apache-2.0
/** The log of the appliance on Node, as server/cli_log.c has it natively. */

/** @typedef {import('../ui/server/types.d.ts').ApplianceEvent} ApplianceEvent */

export const LEVELS = Object.freeze(['error', 'warning', 'info', 'debug']);

/* Controls, and what turns a line around; surrogates that are alone. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/**
 * What a peer wrote moves no cursor and begins no line.
 * @param {string} text
 */
export const safely = (text) => text.replace(UNSAFE, '?');

/** @param {string} json */
const jsonSafely = (json) => json.replace(UNSAFE, (char) =>
  [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''));

/**
 * @param {ApplianceEvent} event
 * @returns {[level: string, text: string]} text '' if it is for programs
 */
function tell(event) {
  switch (event.type) {
    case 'log':
      return [LEVELS.includes(event.level) ? event.level : 'info', event.text];
    case 'session-opened':
      return ['info', `session ${event.session} opened by ${event.peer} on ${event.path}`
        + (event.origin && ` from ${event.origin}`)];
    case 'session-closed':
      return ['info', `session ${event.session} closed by the ${event.by}: code ${event.code}`
        + (event.reason && `, "${event.reason}"`)];
    case 'certificates':
      return ['info', event.hashes.length === 0 ? 'withdrawn: there is no certificate to connect with'
        : `published ${event.seq}: ${event.hashes.map(({ use, hex }) => `${use} ${hex.slice(0, 8)}…`).join(' ')}`];
    default:
      return ['debug', ''];
  }
}

/**
 * @param {ApplianceEvent} event
 * @param {{level: string, json: boolean}} log
 * @param {number} now seconds since 1970 UTC
 * @returns {string|undefined} the line, if the log is to have one
 */
export function logLine(event, log, now) {
  const [level, text] = tell(event);
  if (LEVELS.indexOf(level) > LEVELS.indexOf(log.level)) return undefined;
  if (log.json) return jsonSafely(JSON.stringify({ time: now, level, ...event }));
  return `${level}: ${text ? safely(text) : jsonSafely(JSON.stringify(event))}`;
}
