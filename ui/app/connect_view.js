// SPDX-License-Identifier: Apache-2.0
/** The address, the link and its QR code, and every form of it to be copied. */
import { html } from 'lit';
import { FORMS, hexToBase64 } from './formats.js';
import { qrCode } from './qr.js';

/**
 * @typedef {import('./model.js').Model} Model
 * @typedef {import('../server/types.d.ts').Published} Published
 * @typedef {import('./formats.js').Form} Form
 */

/* How long a button says that it has copied. */
const COPIED_MS = 1500;

/* The button that was pressed last, and what came of it. */
let pressed = { key: '', said: '', told: '' };

/** What is read out after something was copied. */
export const copied = () => pressed.told;

/** @param {Model} model */
export const addressEntry = (model) => html`
  <div class="entry last">
    <h3>Serving at</h3>
    <p id="url" class="value mono one-line" data-empty=${model.state === 'starting'
      ? 'Starting…' : 'Press Start to serve'}>${model.published?.url ?? ''}</p>
    <div class="buttons">${copyButton(model, { key: 'url', label: 'Copy', what: 'the address',
      text: ({ url }) => url ?? '' })}</div>
  </div>`;

/** @param {Model} model */
export function connectCard(model) {
  const { published, kept } = model;
  const form = FORMS[model.shown];
  return html`
    <section class="card connect" aria-labelledby="connect-title">
      <h2 id="connect-title">Connect</h2>
      <div class="link-and-code">
        <div class="links">
          <div class="entry">
            <h3>Link <span class="aside">for a page that connects, not for the address bar</span></h3>
            <p id="link" class="value mono" data-empty="It comes with Start: give it to whoever is to connect, or let them scan its code.">${published?.link ?? ''}</p>
            <div class="buttons">${copyButton(model, { key: 'link', label: 'Copy', what: 'the link',
              text: ({ link }) => link ?? '' })}</div>
          </div>
          <div class="entry last">
            <h3>Identity <span class="aside ${kept ? '' : 'warn'}" id="kept">${kept
              ? 'signs the hashes; stays the same' : 'signs the hashes; nothing is kept beyond this run'}</span></h3>
            <p id="identity" class="value mono one-line" data-empty="–">${published?.identity ?? ''}</p>
            <div class="buttons">${copyButton(model, { key: 'identity', label: 'Copy',
              what: 'the identity’s thumbprint', text: ({ identity }) => identity })}</div>
          </div>
        </div>
        ${qrCode(published?.link ?? '')}
      </div>
      <div class="forms">
        <h3 id="forms-title">Copy as</h3>
        <div class="form-buttons" role="group" aria-labelledby="forms-title">
          ${Object.entries(FORMS).map(([name, { label, what, of }]) => copyButton(model, {
            key: name, label, what, text: of, shown: name === model.shown,
            then: () => { model.shown = /** @type {Form} */ (name); } }))}
        </div>
        <pre id="preview" class="mono" tabindex="0" role="group" aria-label="What is copied as ${form.label}"
          data-form=${model.shown}>${published ? form.of(published) : ''}</pre>
      </div>
    </section>`;
}

/**
 * @param {Model} model
 * @param {object} init
 * @param {string} init.key
 * @param {string} init.label
 * @param {string} init.what
 * @param {(published: Published) => string} init.text
 * @param {boolean} [init.shown]
 * @param {() => void} [init.then]
 */
export function copyButton(model, { key, label, what, text, shown, then }) {
  const copied = model.published ? text(model.published) : '';
  const press = async () => {
    then?.();
    await say(model, key, copied, what);
  };
  // What is read out has what is to be seen in it (WCAG 2.5.3).
  const name = label === 'Copy' ? `Copy ${what}` : `${label}: copy ${what}`;
  const mine = pressed.key === key;
  return html`<button type="button" class="copy ${shown ? 'shown' : ''}" data-form=${key}
    aria-label=${mine ? pressed.told : name} ?disabled=${copied === ''} @click=${press}>${
    mine ? pressed.said : label}</button>`;
}

/**
 * @param {Model} model
 * @param {'active'|'standby'} use
 */
export function hashButtons(model, use) {
  const hex = (/** @type {Published} */ { hashes }) => hashes.find((hash) => hash.use === use)?.hex ?? '';
  return html`
    ${copyButton(model, { key: `hex-${use}`, label: 'Hex', what: `the ${use} hash in hexadecimal`, text: hex })}
    ${copyButton(model, { key: `base64-${use}`, label: 'Base64', what: `the ${use} hash in base64`,
      text: (/** @type {Published} */ published) => hexToBase64(hex(published)) })}`;
}

/**
 * @param {Model} model
 * @param {string} key
 * @param {string} text
 * @param {string} what
 */
async function say(model, key, text, what) {
  const done = await copy(text);
  const mine = pressed = { key, said: done ? 'Copied' : 'Refused',
    told: done ? `Copied ${what}` : 'The browser refused to copy' };
  model.changed();
  setTimeout(() => {
    if (pressed !== mine) return;
    pressed = { key: '', said: '', told: '' };
    model.changed();
  }, COPIED_MS);
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // The permission may be denied; a copy out of a click needs none.
    const listener = (/** @type {ClipboardEvent} */ event) => {
      event.clipboardData?.setData('text/plain', text);
      event.preventDefault();
    };
    document.addEventListener('copy', listener, { once: true });
    try {
      return document.execCommand('copy');
    } finally {
      document.removeEventListener('copy', listener);
    }
  }
}
