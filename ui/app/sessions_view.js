// SPDX-License-Identifier: Apache-2.0
/** The list of sessions; their ages go on while there are any. */
import { byId, element, perFrame } from './dom.js';
import { age, plain } from './formats.js';

/* Rows that are drawn; a browser lays out no more without a stutter. */
const MAX = 200;

export class SessionsView {
  /** @type {Map<number|string, {session: import('../server/types.d.ts').Session, since: number}>} */
  #sessions = new Map();
  /** @type {Map<number|string, HTMLTableRowElement>} */
  #rows = new Map();
  #body = byId('sessions', HTMLTableSectionElement);
  #count = byId('sessions-count', HTMLElement);
  #empty = byId('sessions-empty', HTMLElement);
  #more = byId('sessions-more', HTMLElement);
  #ask = perFrame(() => this.#draw());
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;

  /** @param {import('../server/types.d.ts').Session} session */
  add(session) {
    this.#sessions.set(session.session, { session, since: performance.now() });
    this.#ask();
  }

  /** @param {number|string} id */
  remove(id) {
    if (this.#sessions.delete(id)) this.#ask();
  }

  clear() {
    this.#sessions.clear();
    this.#ask();
  }

  #draw() {
    const shown = new Set([...this.#sessions.keys()].slice(0, MAX));
    for (const [id, row] of this.#rows) {
      if (shown.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    for (const id of shown) {
      if (this.#rows.has(id)) continue;
      const row = this.#row(id);
      this.#rows.set(id, row);
      this.#body.append(row);
    }
    this.#drawAges();
    this.#count.textContent = String(this.#sessions.size);
    this.#empty.hidden = this.#sessions.size > 0;
    this.#more.hidden = this.#sessions.size <= MAX;
    this.#more.textContent = `and ${this.#sessions.size - MAX} more`;
    if (this.#sessions.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else {
      this.#timer ??= setInterval(() => this.#drawAges(), 1000);
    }
  }

  /** @param {number|string} id */
  #row(id) {
    const { session } = /** @type {NonNullable<ReturnType<typeof this.get>>} */ (this.get(id));
    const cell = (/** @type {string} */ text) => {
      const shown = plain(text) || '–';
      return element('td', { title: shown }, shown);
    };
    return element('tr', {}, cell(session.peer), cell(session.path), cell(session.origin),
      element('td', { class: 'number' }));
  }

  /** @param {number|string} id */
  get(id) {
    return this.#sessions.get(id);
  }

  #drawAges() {
    const now = performance.now();
    for (const [id, row] of this.#rows) {
      const entry = this.#sessions.get(id);
      if (entry && row.lastElementChild) row.lastElementChild.textContent = age(now - entry.since);
    }
  }
}
