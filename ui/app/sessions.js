// SPDX-License-Identifier: Apache-2.0
/** The sessions that are open, by what the appliance tells of them. */

/**
 * @typedef {import('../server/types.d.ts').Session} Session
 * @typedef {{session: Session, since: number}} Entry |since|: by the page's
 *     monotonic clock, in ms
 */

export class Sessions {
  /** @type {Map<number|string, Entry>} */
  #entries = new Map();

  get size() {
    return this.#entries.size;
  }

  /** @param {number} max */
  first(max) {
    return [...this.#entries.values()].slice(0, max);
  }

  /**
   * @param {Session} session
   * @param {number} now
   */
  open(session, now) {
    this.#entries.set(session.session, { session, since: now });
  }

  /** @param {number|string} id */
  close(id) {
    this.#entries.delete(id);
  }

  /**
   * @param {Session[]} sessions those that are open, with their figures; one
   *     that has not been told of is not taken up: its end would have come
   *     before
   * @param {number} now
   */
  update(sessions, now) {
    for (const session of sessions) {
      const entry = this.#entries.get(session.session);
      if (!entry) continue;
      entry.session = session;
      // Its first second may have been spent on the way.
      if (session.age_s !== undefined) entry.since = Math.min(entry.since, now - session.age_s * 1000);
    }
  }

  clear() {
    this.#entries.clear();
  }
}
