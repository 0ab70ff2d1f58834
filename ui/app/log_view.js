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
  #atEnd = true;
  #size = '';

  constructor() {
    this.#scroll.addEventListener('scroll', () => {
      const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
      // It scrolls of itself when its box or its lines change their size.
      if (this.#size !== `${scrollHeight} ${clientHeight}`) return;
      this.#atEnd = scrollTop + clientHeight >= scrollHeight - 8;
    });
    const resized = new ResizeObserver(() => this.#follow());
    resized.observe(this.#scroll);
    resized.observe(this.#list);
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
    this.#list.append(...this.#waiting.map(({ level, text, at }) =>
      element('li', { 'data-level': level },
        element('time', { datetime: at.toISOString() }, clock(at)),
        element('span', { class: 'text' },
          level === 'error' || level === 'warning' ? `${level}: ${text}` : text))));
    this.#waiting = [];
    while (this.#list.childElementCount > MAX) this.#list.firstElementChild?.remove();
    this.#empty.hidden = this.#list.childElementCount > 0;
    this.#follow();
  }

  #follow() {
    const { scrollHeight, clientHeight } = this.#scroll;
    this.#size = `${scrollHeight} ${clientHeight}`;
    if (this.#atEnd) this.#scroll.scrollTop = scrollHeight;
  }
}
