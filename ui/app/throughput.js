// SPDX-License-Identifier: Apache-2.0
/** Octets in and out over the last minutes, from counters that only grow. */

/* Samples that are kept: two minutes of them. */
const MAX = 120;

export class Throughput {
  /** In seconds; the last is now. */
  times = /** @type {number[]} */ ([]);
  /** In octets a second. */
  received = /** @type {number[]} */ ([]);
  sent = /** @type {number[]} */ ([]);
  sessions = /** @type {number[]} */ ([]);
  /** @type {{at: number, received: number, sent: number}|undefined} */
  #last;

  /**
   * @param {number} now in ms, monotonic
   * @param {Record<string, number>} counters of the status
   * @param {number} sessions that are open
   */
  add(now, { octets_received: received, octets_sent: sent }, sessions) {
    const last = this.#last;
    // An answer out of turn says little, and draws a spike.
    if (last && now - last.at < 500) return;
    this.#last = { at: now, received, sent };
    if (!last) return;
    const seconds = (now - last.at) / 1000;
    push(this.times, now / 1000);
    push(this.received, Math.max(0, received - last.received) / seconds);
    push(this.sent, Math.max(0, sent - last.sent) / seconds);
    push(this.sessions, sessions);
  }

  /** The next counters begin at 0; what was measured stays to be looked at. */
  stop() {
    this.#last = undefined;
  }
}

/**
 * @param {number[]} list
 * @param {number} value
 */
function push(list, value) {
  list.push(value);
  if (list.length > MAX) list.shift();
}
