// SPDX-License-Identifier: Apache-2.0
/** A QR code, as the modules of a picture. */
import { html, nothing, svg } from 'lit';
import { guard } from 'lit/directives/guard.js';
import { encode } from 'uqr';
import { byId } from './dom.js';

/* Light modules around it: ISO/IEC 18004, 9.1. */
const QUIET = 4;

/* What there is for the small one: connect.css, .code. */
const SMALL = 238;

let last = { text: '', size: 0, path: '' };

/**
 * @param {string} text
 * @returns {{size: number, path: string}} the dark modules, each row's runs as
 *     one stroke of width 1
 */
export function modules(text) {
  if (last.text === text) return last;
  const { data, size } = encode(text, { ecc: 'L', border: QUIET });
  let path = '';
  data.forEach((row, y) => {
    for (let x = 0; x < size; x++) {
      if (!row[x]) continue;
      const from = x;
      while (row[x + 1]) x++;
      path += `M${from} ${y}h${x + 1 - from}v1H${from}z`;
    }
  });
  last = { text, size, path };
  return last;
}

/**
 * The code, which can be pressed to see it large.
 * @param {string} link '' for none yet
 */
export const qrCode = (link) => html`
  <div class="qr">
    <button id="qr" class="code" type="button" aria-label="Show the QR code of the link large" ?disabled=${link === ''}
      @click=${() => byId('qr-large', HTMLDialogElement).showModal()}>${picture(link, SMALL)}</button>
    <p class="hint" aria-hidden="true">${link === '' ? '' : 'Press to enlarge'}</p>
    <dialog id="qr-large" class="large" aria-labelledby="qr-title" @click=${close}>
      <h2 id="qr-title">Scan to get the link</h2>
      ${picture(link)}
      <div class="choices"><button type="button">Close</button></div>
    </dialog>
  </div>`;

/**
 * @param {string} link
 * @param {number} [room] in pixels; each module gets as many whole ones as there
 *     are: of few, one more or less here and there keeps scanners from reading it
 */
const picture = (link, room) => guard([link], () => {
  if (link === '') return html`<span class="no-code" aria-hidden="true"></span>`;
  const { size, path } = modules(link);
  const side = room === undefined ? nothing : size * Math.max(1, Math.floor(room / size));
  return html`<svg viewBox="0 0 ${size} ${size}" width=${side} height=${side} role="img"
    aria-label="QR code of the link" shape-rendering="crispEdges">
    ${svg`<rect width="100%" height="100%" fill="#fff"/><path d=${path} fill="#000"/>`}</svg>`;
});

/**
 * A press on its button, or beside it, closes it.
 * @param {Event} event
 */
function close({ currentTarget, target }) {
  if (target === currentTarget || target instanceof HTMLButtonElement) {
    /** @type {HTMLDialogElement} */ (currentTarget).close();
  }
}
