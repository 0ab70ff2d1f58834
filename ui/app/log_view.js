// SPDX-License-Identifier: Apache-2.0
/** The event log: filtered, and at its end unless the person scrolled away. */
import { html } from 'lit';
import { guard } from 'lit/directives/guard.js';
import { repeat } from 'lit/directives/repeat.js';
import { save } from './download.js';
import { clock } from './formats.js';
import { LEVELS, words } from './log.js';

/** @typedef {import('./model.js').Model} Model */

/** @param {Model} model */
export function logCard(model) {
  const { log } = model;
  const { shown, lines } = log;
  const filter = (/** @type {Event} */ { target }) => {
    log.text = /** @type {HTMLInputElement} */ (target).value;
    model.changed();
  };
  const choose = (/** @type {Event} */ { target }) => {
    log.level = /** @type {keyof typeof LEVELS} */ (/** @type {HTMLSelectElement} */ (target).value);
    model.changed();
  };
  const clear = () => {
    log.clear();
    model.changed();
  };
  return html`
    <section class="card log" aria-labelledby="log-title">
      <div class="head">
        <h2 id="log-title">Log</h2>
        <div class="tools">
          <button id="log-export" type="button" class="quiet" ?disabled=${shown.length === 0}
            @click=${() => save(log.export(), 'fortnight-log.txt')}>Export</button>
          <button id="log-clear" type="button" class="quiet" ?disabled=${lines.length === 0} @click=${clear}>Clear</button>
        </div>
      </div>
      <div class="filter">
        <input id="log-filter" type="search" aria-label="Show lines that contain" placeholder="Filter"
          spellcheck="false" autocomplete="off" @input=${filter}>
        <select id="log-level" aria-label="Show lines of level" @change=${choose}>
          ${Object.entries(LEVELS).map(([value, label]) => html`<option value=${value}>${label}</option>`)}
        </select>
      </div>
      <div id="log-scroll" class="scroll" tabindex="0" role="log" aria-labelledby="log-title" aria-live="polite"
        aria-relevant="additions" @scroll=${scrolled}>
        <ol id="log">${guard([shown.at(-1)?.id, shown.length, shown[0]?.id, log.level, log.text], () =>
          repeat(shown, ({ id }) => id, ({ level, text, at }) => html`<li data-level=${level}><time
          datetime=${at.toISOString()}>${clock(at)}</time><span class="text">${words(level, text)}</span></li>`))}</ol>
        <p id="log-empty" class="empty" ?hidden=${shown.length > 0}>${lines.length === 0
          ? 'Nothing has happened yet.' : 'No line passes the filter.'}</p>
      </div>
    </section>`;
}

let atEnd = true;
let size = '';
/** @type {ResizeObserver|undefined} */
let resized;

/** @param {Event} event */
function scrolled({ currentTarget }) {
  const { scrollTop, scrollHeight, clientHeight } = /** @type {HTMLElement} */ (currentTarget);
  // It scrolls of itself when its box or its lines change their size.
  if (size !== `${scrollHeight} ${clientHeight}`) return;
  atEnd = scrollTop + clientHeight >= scrollHeight - 8;
}

/** After the page was drawn. */
export function followLog() {
  const box = document.getElementById('log-scroll');
  if (!box) return;
  if (!resized) {
    resized = new ResizeObserver(followLog);
    resized.observe(box);
  }
  const { scrollHeight, clientHeight } = box;
  if (size === `${scrollHeight} ${clientHeight}`) return;
  size = `${scrollHeight} ${clientHeight}`;
  if (atEnd) box.scrollTop = scrollHeight;
}
