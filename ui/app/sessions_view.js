// SPDX-License-Identifier: Apache-2.0
/** The sessions that are open, and what goes over the wire. */
import { html } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { age, milliseconds, octets, plain } from './formats.js';
import './plot.js';

/** @typedef {import('./model.js').Model} Model */

/* Rows that are drawn; a browser lays out no more without a stutter. */
const MAX = 200;

/** @param {Model} model */
export function sessionsCard({ sessions, throughput, state }) {
  const now = performance.now();
  const n = sessions.size;
  const last = state === 'stopped' ? -1 : throughput.times.length - 1;
  const rate = (/** @type {number[]} */ list) => `${octets(list[last] ?? 0)}/s`;
  return html`
    <section class="card sessions" aria-labelledby="sessions-title">
      <h2 id="sessions-title">Sessions <span id="sessions-count" class="count">${n}</span></h2>
      <div class="plots">
        <figure>
          <figcaption>Traffic <span class="aside"><span class="key in">in</span> <span id="rate-in">${
            rate(throughput.received)}</span> <span class="key out">out</span> <span id="rate-out">${
            rate(throughput.sent)}</span></span></figcaption>
          <fn-plot .data=${[throughput.times, throughput.received, throughput.sent]} .colors=${['--plot-in', '--plot-out']}
            .unit=${octets} name="Octets a second, in and out, over the last two minutes"></fn-plot>
        </figure>
        <figure>
          <figcaption>Sessions <span class="aside">over two minutes</span></figcaption>
          <fn-plot .data=${[throughput.times, throughput.sessions]} .colors=${['--plot-in']} .unit=${String}
            .stepped=${true} name="Open sessions over the last two minutes"></fn-plot>
        </figure>
      </div>
      <div class="scroll" tabindex="0" role="group" aria-labelledby="sessions-title">
        <table>
          <thead>
            <tr><th scope="col">Peer</th><th scope="col">Path</th><th scope="col">Origin</th>
              <th scope="col" class="number">In</th><th scope="col" class="number">Out</th>
              <th scope="col" class="number">RTT</th><th scope="col" class="number">Age</th></tr>
          </thead>
          <tbody id="sessions">${repeat(sessions.first(MAX), ({ session }) => session.session, (entry) => row(entry, now))}</tbody>
        </table>
        <p id="sessions-empty" class="empty" ?hidden=${n > 0}>Nobody is connected.</p>
        <p id="sessions-more" class="empty" ?hidden=${n <= MAX}>and ${n - MAX} more</p>
      </div>
    </section>`;
}

/**
 * @param {import('./sessions.js').Entry} entry
 * @param {number} now
 */
function row({ session, since }, now) {
  const cell = (/** @type {string} */ text) => {
    const shown = plain(text) || '–';
    return html`<td title=${shown}>${shown}</td>`;
  };
  const figure = (/** @type {number|undefined} */ value, /** @type {(n: number) => string} */ form) =>
    html`<td class="number">${value === undefined ? '–' : form(value)}</td>`;
  return html`<tr>${cell(session.peer)}${cell(session.path)}${cell(session.origin)}${
    figure(session.octets_received, octets)}${figure(session.octets_sent, octets)}${
    figure(session.rtt_us, milliseconds)}<td class="number">${age(now - since)}</td></tr>`;
}
