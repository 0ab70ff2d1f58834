// SPDX-License-Identifier: Apache-2.0
/** The lives of the certificates as a picture. */
import { html, svg } from 'lit';
import { inSentences, picture } from './timeline.js';

/** @typedef {import('../server/types.d.ts').Slot} Slot */

/* In px from the top. */
const ROWS = Object.freeze({ active: 30, standby: 64 });
const BAR = 20;
const BOTTOM = 92;
const HEIGHT = 112;

/* A part that is narrower has no room for its name. */
const NAMED = 0.14;

const LEGEND = Object.freeze({
  backdate: 'valid in the past already, for clocks that are slow',
  standby: 'published and valid, not served yet',
  active: 'served',
  guard: 'no longer served, for clocks that are fast',
});

const percent = (/** @type {number} */ at) => `${(at * 100).toFixed(3)}%`;

/**
 * @param {number} at
 * @returns {'start'|'middle'|'end'} so that a label stays inside
 */
const anchor = (at) => (at < 0.06 ? 'start' : at > 0.94 ? 'end' : 'middle');

/**
 * @param {Partial<Record<'active'|'standby', Slot>>} slots
 * @param {number} now
 */
export function timeline(slots, now) {
  const drawn = picture(slots, now);
  return html`
    <figure class="timeline">
      <svg id="timeline" height=${HEIGHT} width="100%" role="img" aria-label=${inSentences(slots)}>
        ${drawn ? svg`
          <line class="axis" x1="0" x2="100%" y1=${BOTTOM} y2=${BOTTOM}></line>
          ${drawn.ticks.map(({ at, label }) => svg`
            <line class="tick" x1=${percent(at)} x2=${percent(at)} y1=${BOTTOM} y2=${BOTTOM + 4}></line>
            <text class="tick" x=${percent(at)} y=${HEIGHT - 3} text-anchor=${anchor(at)}>${label}</text>`)}
          ${drawn.swap === undefined ? '' : svg`
            <line class="swap" x1=${percent(drawn.swap)} x2=${percent(drawn.swap)} y1="16" y2=${BOTTOM}></line>
            <text class="swap" x=${percent(drawn.swap)} y="11" text-anchor=${anchor(drawn.swap)}>swap</text>`}
          ${drawn.rows.map(({ use, parts }) => parts.map(({ phase, from, to }) => svg`
            <rect class=${phase} data-use=${use} x=${percent(from)} width=${percent(to - from)} y=${ROWS[use] - 6}
              height=${BAR}></rect>
            ${to - from < NAMED ? '' : svg`<text class="part ${phase}" x=${percent((from + to) / 2)}
              y=${ROWS[use] + 8} text-anchor="middle">${phase}</text>`}`))}
          <line class="now" x1=${percent(drawn.now)} x2=${percent(drawn.now)} y1="16" y2=${BOTTOM}></line>
          <text class="now" x=${percent(drawn.now)} y="11" text-anchor=${anchor(drawn.now)}>now</text>` : ''}
      </svg>
      <figcaption>
        <ul class="legend">
          ${Object.entries(LEGEND).map(([phase, words]) => html`<li title=${words}><span class="swatch ${phase}"
            aria-hidden="true"></span>${phase}<span class="unseen">: ${words}</span></li>`)}
        </ul>
      </figcaption>
    </figure>`;
}
