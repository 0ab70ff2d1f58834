// SPDX-License-Identifier: Apache-2.0
/**
 * The certificates: how they are, what comes next, their lives as a picture,
 * and what the person can do about it.
 */
import { html } from 'lit';
import { keyed } from 'lit/directives/keyed.js';
import { hashButtons } from './connect_view.js';
import { groups, plain } from './formats.js';
import { activeOf, health, span, standbyOf } from './lifecycle.js';
import { timeline } from './timeline_view.js';

/** @typedef {import('./model.js').Model} Model */

/* The hash that each place showed last: a new one in its place is pointed out. */
const before = { active: '', standby: '' };

/** Buttons whose work is under way. */
const busy = new Set();

/** @param {Model} model */
export function certificatesCard(model) {
  const { certificates } = model;
  const { mood, title, text } = health(certificates);
  const slots = { active: certificates && activeOf(certificates), standby: certificates && standbyOf(certificates) };
  return html`
    <section class="card certificates" aria-labelledby="certificates-title">
      <h2 id="certificates-title">Certificates</h2>
      <div id="health" class="health" role="status" data-mood=${mood}>
        <p class="title"><span class="dot" aria-hidden="true"></span><strong id="health-title">${title}</strong></p>
        <p id="health-text" class="hint">${text}</p>
        <p id="trouble" class="hint wrong" ?hidden=${!certificates?.problem}>${
          certificates?.problem ? plain(certificates.problem, 500) : ''}</p>
      </div>
      ${timeline(slots, certificates?.now ?? 0)}
      ${hash(model, 'active', span(slots.active, 'active'))}
      ${hash(model, 'standby', span(slots.standby, 'standby'))}
      <div class="foot">
        ${button(model, 'rotate', 'Rotate now', !model.hasActive)}
        ${button(model, 'revoke', 'Revoke…', !model.hasActive)}
        ${button(model, 'reset', 'Reset…', !certificates)}
      </div>
    </section>`;
}

/**
 * @param {Model} model
 * @param {'active'|'standby'} use
 * @param {string} words
 */
function hash(model, use, words) {
  const hex = model.published?.hashes.find((it) => it.use === use)?.hex ?? '';
  const replaced = before[use] !== '' && hex !== '' && before[use] !== hex;
  if (before[use] !== hex) changed[use] = replaced;
  before[use] = hex;
  return html`
    <div class="entry hash">
      <h3><span class="badge ${use}">${use === 'active' ? 'Active' : 'Standby'}</span> <span class="aside"
        id="${use}-span">${words}</span></h3>
      <p id=${use} class="value mono" data-hex=${hex} data-empty="–">${hex === '' ? '' : keyed(hex, html`<span
        class="digits ${changed[use] ? 'changed' : ''}">${groups(hex).map((group) => html`<span>${group}</span>`)}</span>`)}</p>
      <div class="buttons">${hashButtons(model, use)}</div>
    </div>`;
}

const changed = { active: false, standby: false };

/**
 * @param {Model} model
 * @param {'rotate'|'revoke'|'reset'} name
 * @param {string} label
 * @param {boolean} disabled
 */
function button(model, name, label, disabled) {
  const press = async () => {
    if (busy.has(name)) return;
    // Not |disabled|, which would take the focus away from the keyboard.
    busy.add(name);
    model.changed();
    try {
      await model[name]();
    } finally {
      busy.delete(name);
      model.changed();
    }
  };
  return html`<button id=${name} type="button" class=${name === 'rotate' ? '' : 'danger'} ?disabled=${disabled}
    aria-disabled=${busy.has(name)} @click=${press}>${label}</button>`;
}
