// SPDX-License-Identifier: Apache-2.0
/** How the certificates are, and what comes next, in words.  Pure. */

/**
 * @typedef {import('../server/types.d.ts').Certificates} Certificates
 * @typedef {import('../server/types.d.ts').Slot} Slot
 * @typedef {'good'|'busy'|'bad'|'off'} Mood
 * @typedef {{mood: Mood, title: string, text: string}} Health
 */

const WAITING = new Set(['GENERATED', 'PERSISTED', 'PUBLISHED', 'READY']);

/** @param {Certificates} certificates */
export const activeOf = ({ slots }) => slots.find(({ state }) => state === 'ACTIVE');

/**
 * The one that takes over next.
 * @param {Certificates} certificates
 */
export const standbyOf = ({ slots }) => slots.find(({ state }) => WAITING.has(state));

/**
 * @param {Certificates|undefined} certificates undefined: not known yet
 * @param {Date} [now]
 * @returns {Health}
 */
export function health(certificates, now = new Date()) {
  if (!certificates) return { mood: 'off', title: 'Not running', text: '' };
  const { state, until } = certificates;
  const standby = standbyOf(certificates);
  switch (state) {
    case 'HEALTHY':
      return { mood: 'good', title: 'All is well', text: nextSwap(certificates, now) };
    case 'NO_STANDBY':
      if (standby && until.standby_ready !== undefined) {
        return { mood: 'good', title: 'Serving; the standby is settling in',
          text: `It is ready ${inWords(until.standby_ready)}. ${nextSwap(certificates, now)}` };
      }
      return { mood: 'busy', title: 'There is no standby',
        text: `What is served goes on. ${retry(certificates)}` };
    case 'BOOTSTRAP':
      return { mood: 'busy', title: 'Making the first certificate', text: retry(certificates) };
    case 'WAITING_FOR_TIME':
      return { mood: 'busy', title: 'Waiting for the clock',
        text: `This computer’s clock says ${day(now)}, which cannot be. Set it, and Fortnight begins.` };
    case 'EXPIRED':
      return { mood: 'bad', title: 'No certificate is valid',
        text: `Nobody can connect until there is a new one. ${retry(certificates)}` };
    case 'GUARD':
      return { mood: 'bad', title: 'The last certificate is about to end',
        text: `${until.expiry === undefined ? '' : `It ends ${inWords(until.expiry)}. `}${retry(certificates)}` };
    case 'STORE_FAILED':
      return { mood: 'bad', title: 'The state cannot be saved',
        text: `What is served goes on; nothing new is made until it can be. ${retry(certificates)}` };
    case 'CLOCK_SUSPECT':
      return { mood: 'busy', title: 'The clock has jumped',
        text: 'What is served goes on. Nothing is destroyed until the clock has run for an hour.' };
    default:
      return { mood: 'busy', title: String(state), text: '' };
  }
}

/**
 * @param {Certificates} certificates
 * @param {Date} now
 */
function nextSwap({ until: { rotation } }, now) {
  if (rotation === undefined) return '';
  return `Next swap ${inWords(rotation)}, on ${moment(new Date(now.getTime() + rotation * 1000))}.`;
}

/** @param {Certificates} certificates */
function retry({ until: { retry: left } }) {
  return left === undefined ? '' : `The next try is ${inWords(left)}.`;
}

/**
 * @param {Slot|undefined} slot
 * @param {'active'|'standby'} use
 * @returns {string} from when to when it is served
 */
export function span(slot, use) {
  if (!slot) return use === 'active' ? 'served now' : 'served next';
  if (['GENERATED', 'PERSISTED'].includes(slot.state)) return 'is being made';
  const [from, to] = [slot.active_from, slot.active_until].map((time) => moment(new Date(time * 1000)));
  return use === 'active' ? `served since ${from}, until ${to}` : `takes over on ${from}, until ${to}`;
}

/**
 * @param {number} seconds
 * @returns {string} 'now', 'in a moment', 'in a minute', 'in 5 days'
 */
export function inWords(seconds) {
  for (const [unit, length] of /** @type {const} */ ([['day', 86400], ['hour', 3600], ['minute', 60]])) {
    const n = Math.round(seconds / length);
    // Two of a thing at least: "in 47 hours" says more than "in 2 days".
    if (n >= 2) return `in ${n} ${unit}s`;
  }
  return seconds <= 0 ? 'now' : seconds < 45 ? 'in a moment' : 'in a minute';
}

const MOMENT = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });

/** @param {Date} date */
export const moment = (date) => MOMENT.format(date);

/** @param {Date} date */
const day = (date) => DAY.format(date);
