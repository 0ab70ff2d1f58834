// SPDX-License-Identifier: Apache-2.0
/** The dialog in which the identity is exported to a file, or imported from one. */
import { html } from 'lit';
import { live } from 'lit/directives/live.js';
import { describe, exportIdentity, importIdentity, kindOf, PASSPHRASE_MIN, proposePassphrase } from './backup.js';
import { byId } from './dom.js';
import { save } from './download.js';

/**
 * @typedef {import('./model.js').Model} Model
 *
 * @typedef {object} Work
 * @property {'export'|'import'} does
 * @property {string} passphrase
 * @property {string} text of the file that was chosen
 * @property {string} wrong what went wrong
 * @property {boolean} busy
 */

/** @type {Work} */
const NONE = Object.freeze({ does: 'export', passphrase: '', text: '', wrong: '', busy: false });

/** @type {Work} */
let work = NONE;

/**
 * @param {Model} model
 * @param {'export'|'import'} does
 */
export function openBackup(model, does) {
  work = { ...NONE, does, passphrase: does === 'export' ? proposePassphrase() : '' };
  // The first field that the dialog has when it opens gets the focus.
  model.changedNow();
  byId('backup', HTMLDialogElement).showModal();
}

/**
 * @param {Model} model
 * @param {Partial<Work>} changes
 */
function change(model, changes) {
  work = { ...work, ...changes };
  model.changed();
}

/**
 * Nothing secret stays in the page longer than it is needed.
 * @param {Model} model
 */
function close(model) {
  byId('backup', HTMLDialogElement).close();
  change(model, NONE);
  byId('backup-file', HTMLInputElement).value = '';
}

/** @param {Model} model */
async function carryOut(model) {
  if (work.busy) return;
  const { does, passphrase, text } = work;
  change(model, { busy: true, wrong: '' });
  try {
    if (does === 'export') {
      const file = await exportIdentity(model.fortnight, passphrase);
      save(file.text, file.name);
      model.say('info', `The identity was exported as ${file.name}`);
    } else {
      await importIdentity(model.fortnight, text, passphrase);
      model.say('info', 'The identity was imported');
      model.refresh();
    }
    close(model);
  } catch (error) {
    change(model, { busy: false, wrong: `${/** @type {Error} */ (error).message}.` });
  }
}

/** @param {Model} model */
export function backupDialog(model) {
  const { does, passphrase, text, wrong, busy } = work;
  const kind = text === '' ? undefined : kindOf(text);
  const whose = text === '' ? undefined : describe(text);
  const choose = async (/** @type {Event} */ { target }) => {
    const [file] = /** @type {HTMLInputElement} */ (target).files ?? [];
    if (!file) return;
    const chosen = await file.slice(0, 65_536).text();
    change(model, { text: chosen, wrong: kindOf(chosen) ? '' : 'This is no backup of a Fortnight identity.' });
  };
  const exporting = does === 'export';
  const ready = !busy && (exporting ? passphrase.length >= PASSPHRASE_MIN
    : kind === 'plain' || (kind === 'sealed' && passphrase !== ''));
  return html`
    <dialog id="backup" aria-labelledby="backup-does" @cancel=${(/** @type {Event} */ event) => {
      event.preventDefault();
      close(model);
    }}>
      <h2 id="backup-does">${exporting ? 'Export the identity' : 'Import an identity'}</h2>
      <p>${exporting
        ? 'Whoever has the file and the passphrase can serve in your place. Write the passphrase down, and keep it apart from the file: without it the file is worth nothing.'
        : 'The identity of the file takes the place of the one that is here, which is gone then unless you have a file of it. Links that name the file’s identity work again as soon as their clients have heard the new hashes.'}</p>
      <div class="field" ?hidden=${exporting}>
        <label for="backup-file">File</label>
        <input id="backup-file" type="file" accept=".txt,text/plain" @change=${choose}>
        <p class="hint">${whose ? `Identity ${whose.thumbprint.slice(0, 12)}…, exported on ${whose.made}.` : ''}</p>
      </div>
      <div class="field" ?hidden=${kind === 'plain'}>
        <label for="backup-passphrase">Passphrase</label>
        <input id="backup-passphrase" .value=${live(passphrase)} spellcheck="false" autocapitalize="off"
          autocomplete="off" aria-describedby="backup-wrong" aria-invalid=${wrong !== ''}
          @input=${(/** @type {Event} */ { target }) => change(model, {
            passphrase: /** @type {HTMLInputElement} */ (target).value, wrong: '' })}
          @keydown=${(/** @type {KeyboardEvent} */ { key }) => {
            if (key === 'Enter' && ready) carryOut(model);
          }}>
        <p class="hint ${wrong ? 'wrong' : ''}" id="backup-wrong" role="status">${wrong || (exporting
          ? `A proposal; yours may be any of at least ${PASSPHRASE_MIN} characters.` : '')}</p>
      </div>
      <div class="choices">
        <button type="button" @click=${() => close(model)}>Cancel</button>
        <button id="backup-go" type="button" class=${exporting ? 'primary' : 'danger'} ?disabled=${!ready}
          @click=${() => carryOut(model)}>${busy ? 'One moment…' : exporting ? 'Save the file' : 'Import it'}</button>
      </div>
    </dialog>`;
}
