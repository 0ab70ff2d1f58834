// SPDX-License-Identifier: Apache-2.0
/** What can be set, before Start. */
import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import { backupDialog, openBackup } from './backup_view.js';
import { byId } from './dom.js';
import { APPS, APP_NAMES, appsOf, defaultHosts, hints } from './options.js';

/**
 * @typedef {import('./model.js').Model} Model
 * @typedef {keyof import('./options.js').Fields} Name
 */

const PROFILES = Object.freeze({ '': 'Hot standby', 'long': 'Long', 'short': 'Short' });

/** @param {Model} model */
export function settingsCard(model) {
  const { parsed, fields, state } = model;
  const meanings = hints(parsed);
  const placeholder = parsed.errors.address === undefined ? defaultHosts(parsed.options.address).join(', ') : '';
  const take = (/** @type {Event} */ { target }) => {
    const { name, value, type, checked } = /** @type {HTMLInputElement} */ (target);
    if (type === 'checkbox') {
      const others = appsOf(fields.apps).filter((app) => app !== value);
      model.set('apps', (checked ? [...others, value] : others).join(' '));
      return;
    }
    model.set(/** @type {Name} */ (name), value);
  };
  /**
   * @param {Name} name
   * @param {string} label
   * @param {{placeholder?: string, list?: string, mode?: string}} [more]
   */
  const field = (name, label, { placeholder = '', list, mode } = {}) => html`
    <div class="field">
      <label for=${name}>${label}</label>
      <input id=${name} name=${name} .value=${live(fields[name])} placeholder=${placeholder} list=${list ?? nothing}
        inputmode=${mode ?? nothing} spellcheck="false" autocapitalize="off" autocomplete="off"
        aria-invalid=${parsed.errors[name] !== undefined} aria-describedby="${name}-hint">
      ${hint(name)}
    </div>`;
  const hint = (/** @type {Name} */ name) => html`
    <p class="hint ${parsed.errors[name] === undefined ? '' : 'wrong'}" id="${name}-hint">${
      parsed.errors[name] ?? meanings[name]}</p>`;
  const profiles = /** @type {[string, string][]} */ (Object.entries(PROFILES));
  // One of its parts, from a script.
  if (!Object.hasOwn(PROFILES, fields.profile)) profiles.push([fields.profile, fields.profile]);
  return html`
    <section class="card settings" aria-labelledby="settings-title">
      <h2 id="settings-title">Settings <span class="aside">${state === 'stopped' ? '' : 'stop to change them'}</span></h2>
      <form id="form" novalidate autocomplete="off" @input=${take} @submit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        press(model);
      }}>
        <fieldset id="fields" ?disabled=${state !== 'stopped'}>
          <legend class="unseen">Options</legend>
          <datalist id="addresses">
            <option value="127.0.0.1">this computer only</option>
            <option value="0.0.0.0">every network, IPv4</option>
            <option value="::">every network, IPv6 and IPv4</option>
          </datalist>
          <datalist id="paths">
            <option value="/echo">sends back whatever comes</option>
            <option value="/room">what one sends, all others get</option>
          </datalist>
          <div class="pair">
            ${field('address', 'Listen on', { list: 'addresses' })}
            ${field('port', 'Port', { mode: 'numeric' })}
          </div>
          ${field('hosts', 'Host names', { placeholder })}
          <details id="more">
            <summary>More</summary>
            ${field('path', 'The link opens', { placeholder: '/echo', list: 'paths' })}
            <div class="field" role="group" aria-labelledby="apps-label" aria-describedby="apps-hint">
              <span class="label" id="apps-label">Apps that are served</span>
              <div class="checks">
                ${APP_NAMES.map((name) => html`<label title=${APPS[name].does}><input type="checkbox" name="apps"
                  value=${name} .checked=${live(appsOf(fields.apps).includes(name))}>${APPS[name].label}</label>`)}
              </div>
              ${hint('apps')}
            </div>
            ${field('origins', 'Origins that may connect', { placeholder: 'https://example.org', mode: 'url' })}
            <div class="field">
              <label for="profile">Life of a certificate</label>
              <select id="profile" name="profile" aria-describedby="profile-hint">
                ${profiles.map(([value, label]) => html`<option value=${value} .selected=${
                  live(fields.profile === value)}>${label}</option>`)}
              </select>
              ${hint('profile')}
            </div>
            ${field('mirror', 'Mirror', { placeholder: 'https://…', mode: 'url' })}
            ${field('publish', 'Publish to', { placeholder: 'https://…', mode: 'url' })}
          </details>
        </fieldset>
      </form>
      <div class="backup">
        <h3 id="backup-title">Identity</h3>
        <p class="hint" id="backup-hint">${state !== 'serving' ? 'It is the running server that has it: press Start first.'
          : !model.kept ? 'Nothing is kept of it: this one ends with the run.'
          : 'With a file of it, links go on working on another computer.'}</p>
        <div class="pair-of-buttons" role="group" aria-labelledby="backup-title">
          <button id="export" type="button" ?disabled=${state !== 'serving'} aria-describedby="backup-hint"
            @click=${() => openBackup(model, 'export')}>Export…</button>
          <button id="import" type="button" ?disabled=${state !== 'serving'} aria-describedby="backup-hint"
            @click=${() => openBackup(model, 'import')}>Import…</button>
        </div>
      </div>
      ${backupDialog(model)}
    </section>`;
}

/**
 * Start or Stop was pressed, or Enter in a field.
 * @param {Model} model
 */
function press(model) {
  if (model.state === 'stopping') return;
  if (model.state !== 'stopped') {
    model.stop();
    return;
  }
  if (model.screen?.kind === 'windows') {
    // That is to be answered first.
    /** @type {HTMLElement|null} */ (document.querySelector('#problem .first'))?.focus();
    return;
  }
  const wrong = model.press();
  if (!wrong) return;
  const field = byId(wrong, HTMLElement);
  const more = field.closest('details');
  if (more) more.open = true;
  field.focus();
}
