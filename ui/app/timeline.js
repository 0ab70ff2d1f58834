// SPDX-License-Identifier: Apache-2.0
/** Where the lives of the certificates lie on one line.  Pure. */
import { moment } from './lifecycle.js';

/**
 * @typedef {import('../server/types.d.ts').Slot} Slot
 * @typedef {'backdate'|'standby'|'active'|'guard'} Phase
 *
 * @typedef {object} Row
 * @property {'active'|'standby'} use
 * @property {string} hex
 * @property {{phase: Phase, from: number, to: number}[]} parts from 0 to 1;
 *     those of no length are left out
 *
 * @typedef {object} Picture
 * @property {Row[]} rows
 * @property {number} now
 * @property {number|undefined} swap when the standby takes over
 * @property {{at: number, label: string}[]} ticks
 */

const DAY = 86400;

/* No more labels fit below a narrow picture. */
const TICKS_MAX = 6;

const LABEL = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

/**
 * @param {Partial<Record<'active'|'standby', Slot>>} slots
 * @param {number} now in seconds since 1970
 * @returns {Picture|undefined} undefined: there is nothing to draw
 */
export function picture(slots, now) {
  const known = /** @type {['active'|'standby', Slot][]} */ (
    Object.entries(slots).filter(([, slot]) => slot !== undefined));
  if (known.length === 0) return undefined;
  const first = Math.min(now, ...known.map(([, slot]) => slot.not_before));
  const last = Math.max(now + 1, ...known.map(([, slot]) => slot.not_after));
  const at = (/** @type {number} */ time) => (Math.min(last, Math.max(first, time)) - first) / (last - first);
  const rows = known.map(([use, slot]) => {
    /** @type {[Phase, number][]} */
    const ends = [['backdate', slot.standby_from ?? slot.not_before], ['standby', slot.active_from],
      ['active', slot.active_until], ['guard', slot.not_after]];
    let from = at(slot.not_before);
    const parts = [];
    for (const [phase, end] of ends) {
      const to = Math.max(from, at(end));
      if (to > from) parts.push({ phase, from, to });
      from = to;
    }
    return { use, hex: slot.hex, parts };
  });
  const swap = slots.active && slots.standby ? at(slots.active.active_until) : undefined;
  return { rows, now: at(now), swap, ticks: ticks(first, last).map(({ time, label }) => ({ at: at(time), label })) };
}

/**
 * @param {number} first
 * @param {number} last
 * @returns {{time: number, label: string}[]} midnights, or hours of a short life
 */
function ticks(first, last) {
  const span = last - first;
  const steps = span > 3 * DAY ? [1, 2, 3, 4, 7, 14, 28, 56].map((days) => days * DAY)
    : [60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600];
  const step = steps.find((length) => span / length <= TICKS_MAX) ?? span;
  const zero = new Date(first * 1000);
  zero.setHours(0, 0, 0, 0);
  const found = [];
  for (let n = 0; n < 1000; n++) {
    let time = zero.getTime() / 1000 + n * step;
    if (step >= DAY) {
      // A midnight also where the clocks are put forward or back meanwhile.
      const date = new Date(zero);
      date.setDate(date.getDate() + n * step / DAY);
      time = date.getTime() / 1000;
    }
    if (time > last) break;
    if (time < first) continue;
    found.push({ time, label: (step >= DAY ? LABEL : CLOCK).format(new Date(time * 1000)) });
  }
  return found;
}

/**
 * The same in words, for who cannot see it.
 * @param {Partial<Record<'active'|'standby', Slot>>} slots
 * @returns {string}
 */
export function inSentences(slots) {
  const when = (/** @type {number} */ time) => moment(new Date(time * 1000));
  const sentences = [];
  for (const use of /** @type {const} */ (['active', 'standby'])) {
    const slot = slots[use];
    if (!slot) continue;
    sentences.push(`The ${use} certificate is valid from ${when(slot.not_before)} to ${when(slot.not_after)}, and ${
      use === 'active' ? 'is served' : 'will be served'} from ${when(slot.active_from)} to ${when(slot.active_until)}.`);
  }
  return sentences.join(' ') || 'There are no certificates.';
}
