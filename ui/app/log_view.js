// SPDX-License-Identifier: Apache-2.0
/** The event log: bounded, and at its end unless the person scrolled away. */
import { byId, element, perFrame } from './dom.js';
import { clock } from './formats.js';

const MAX = 500;

export class LogView {
  #list = byId('log', HTMLOListElement);
  #scroll = byId('log-scroll', HTMLElement);
  #empty = byId('log-empty', HTMLElement);
  /** @type {{level: string, text: string, at: Date}[]} */
  #waiting = [];
  #ask = perFrame(() => this.#draw());

  constructor() {
    byId('log-clear', HTMLButtonElement).addEventListener('click', () => {
      this.#waiting = [];
      this.#list.replaceChildren();
      this.#empty.hidden = false;
    });
  }

  /**
   * @param {string} level
   * @param {string} text
   */
  add(level, text) {
    this.#waiting.push({ level, text, at: new Date() });
    // A hidden page draws nothing for as long as it is hidden.
    if (this.#waiting.length > MAX) this.#waiting.shift();
    this.#ask();
  }

  #draw() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    const atEnd = scrollTop + clientHeight >= scrollHeight - 8;
    this.#list.append(...this.#waiting.map(({ level, text, at }) =>
      element('li', { 'data-level': level },
        element('time', { datetime: at.toISOString() }, clock(at)),
        element('span', { class: 'text' },
          level === 'error' || level === 'warning' ? `${level}: ${text}` : text))));
    this.#waiting = [];
    while (this.#list.childElementCount > MAX) this.#list.firstElementChild?.remove();
    this.#empty.hidden = this.#list.childElementCount > 0;
    if (atEnd) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }
}
