// SPDX-License-Identifier: Apache-2.0
/** A screen of its own for what stands in the way, with the way out. */
import { html, svg } from 'lit';

/**
 * @typedef {import('./model.js').Model} Model
 * @typedef {import('./messages.js').Message} Message
 */

/* One sign for each kind, in a box of 24 by 24. */
const SIGNS = Object.freeze({
  permission: svg`<path d="M12 3 5 6v5c0 4.6 2.9 8.3 7 10 4.1-1.7 7-5.4 7-10V6z"/><path d="M12 8v4.5M12 16v.01"/>`,
  port: svg`<rect x="4" y="5" width="16" height="14" rx="2"/><path d="M8 19v-6h8v6M10.500 13v3M13.500 13v3"/>`,
  address: svg`<circle cx="12" cy="12" r="8.500"/><path d="M3.500 12h17M12 3.500c5 5 5 12 0 17M12 3.500c-5 5-5 12 0 17"/>`,
  option: svg`<path d="M4 8h9M17 8h3M4 16h3M11 16h9"/><circle cx="15" cy="8" r="2"/><circle cx="9" cy="16" r="2"/>`,
  state: svg`<ellipse cx="12" cy="6" rx="7" ry="2.500"/><path d="M5 6v12c0 1.400 3.100 2.500 7 2.500s7-1.100 7-2.500V6M5 12c0 1.400 3.100 2.500 7 2.500s7-1.100 7-2.500"/>`,
  storage: svg`<ellipse cx="12" cy="6" rx="7" ry="2.500"/><path d="M5 6v12c0 1.400 3.100 2.500 7 2.500s7-1.100 7-2.500V6M5 12c0 1.400 3.100 2.500 7 2.500s7-1.100 7-2.500"/>`,
  browser: svg`<rect x="3.500" y="5" width="17" height="14" rx="2"/><path d="M3.500 9h17M9.500 12l5 5M14.500 12l-5 5"/>`,
  fault: svg`<path d="M12 4 3 19.500h18z"/><path d="M12 10v4.500M12 17v.01"/>`,
  clock: svg`<circle cx="12" cy="12" r="8.500"/><path d="M12 7v5l3.500 2"/>`,
  windows: svg`<rect x="3.500" y="4" width="12" height="10" rx="1.500"/><path d="M8.500 17.500v1a1.500 1.500 0 0 0 1.500 1.500h9a1.500 1.500 0 0 0 1.500-1.500v-7a1.500 1.500 0 0 0-1.500-1.500h-.500"/>`,
});

/**
 * @param {Model} model
 * @param {Message} message
 * @param {'problem'|'notice'} id
 */
export const screen = (model, { kind, title, ways, actions }, id) => html`
  <section id=${id} class="card screen ${id}" data-kind=${kind} role=${id === 'problem' ? 'alert' : 'status'}
    aria-labelledby="${id}-title">
    <svg class="sign" viewBox="0 0 24 24" aria-hidden="true">${SIGNS[kind]}</svg>
    <h2 id="${id}-title">${title}</h2>
    <ul id="${id}-ways">${ways.map((way) => html`<li>${way}</li>`)}</ul>
    <div class="ways-out">
      ${actions.map((action, i) => html`<button type="button" class=${i === 0 ? 'first' : ''} data-does=${action.does}
        @click=${() => model.act(action)}>${action.label}</button>`)}
    </div>
  </section>`;
