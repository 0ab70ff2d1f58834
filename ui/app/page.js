// SPDX-License-Identifier: Apache-2.0
/** The whole page, drawn from the model; each card is a view of its own. */
import { html, render } from 'lit';
import { certificatesCard } from './certificates_view.js';
import { connectCard, addressEntry, copied } from './connect_view.js';
import { byId } from './dom.js';
import { followLog, logCard } from './log_view.js';
import { screen } from './screen_view.js';
import { sessionsCard } from './sessions_view.js';
import { settingsCard } from './settings_view.js';

/** @typedef {import('./model.js').Model} Model */

const STATES = Object.freeze({
  stopped: { says: 'Stopped', button: 'Start', does: 'start', busy: false },
  starting: { says: 'Starting', button: 'Stop', does: 'stop', busy: false },
  serving: { says: 'Serving', button: 'Stop', does: 'stop', busy: false },
  stopping: { says: 'Stopping', button: 'Stop', does: 'stop', busy: true },
});

/** @param {Model} model */
export function drawPage(model) {
  render(page(model), byId('app', HTMLElement));
  followLog();
}

/** @param {Model} model */
const page = (model) => html`
  ${header(model)}
  <main>
    <div class="column">
      ${serverCard(model)}
      ${model.notice && model.state === 'serving' ? screen(model, model.notice, 'notice') : ''}
      ${settingsCard(model)}
      ${logCard(model)}
    </div>
    <div class="column">
      <div class="stage" ?data-screen=${model.screen !== undefined}>
        ${connectCard(model)}
        ${model.screen ? screen(model, model.screen, 'problem') : ''}
      </div>
      ${certificatesCard(model)}
      ${sessionsCard(model)}
    </div>
  </main>`;

/** @param {Model} model */
const header = ({ state }) => html`
  <header class="bar">
    <img class="logo" src="/icons/icon.svg" alt="" width="36" height="36">
    <div class="name">
      <h1>Fortnight</h1>
      <p>WebTransport, by certificates that never outlive a fortnight</p>
    </div>
    <p id="state" class="state" role="status" data-state=${state}><span class="dot" aria-hidden="true"></span><span
      id="state-text">${STATES[state].says}</span></p>
  </header>`;

/** @param {Model} model */
function serverCard(model) {
  const { button, does, busy } = STATES[model.state];
  // Not |disabled|, which would take the focus away from the keyboard.
  return html`
    <section class="card server" aria-labelledby="server-title">
      <h2 id="server-title">Server</h2>
      <button id="toggle" class="primary" type="submit" form="form" data-does=${does} aria-disabled=${busy}>${
        button}</button>
      ${addressEntry(model)}
      <p id="copied" class="unseen" role="status">${copied()}</p>
    </section>`;
}
