// SPDX-License-Identifier: Apache-2.0
/**
 * The certificates: how they are, from when to when each is served, what comes
 * next, and what the person can do about it.
 */
import { ask, unask } from './ask.js';
import { byId } from './dom.js';
import { plain } from './formats.js';
import { activeOf, health, inWords, span, standbyOf, tracks } from './lifecycle.js';

/**
 * @typedef {import('../server/types.d.ts').Certificates} Certificates
 * @typedef {import('./fortnight.js').Fortnight} Fortnight
 */

/* What is shown changes by itself with the time, and little else. */
const POLL_MS = 5000;

const USES = /** @type {const} */ (['active', 'standby']);

export class CertificatesView {
  #fortnight;
  #log;
  /** @type {Certificates|undefined} */
  #certificates;
  #asking = false;
  #again = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #buttons = {
    rotate: byId('rotate', HTMLButtonElement),
    revoke: byId('revoke', HTMLButtonElement),
    reset: byId('reset', HTMLButtonElement),
  };

  #acts = { rotate: () => this.#rotate(), revoke: () => this.#revoke(), reset: () => this.#reset() };

  /**
   * @param {Fortnight} fortnight
   * @param {(level: string, text: string) => void} log
   */
  constructor(fortnight, log) {
    this.#fortnight = fortnight;
    this.#log = log;
    for (const name of /** @type {const} */ (['rotate', 'revoke', 'reset'])) {
      const button = this.#buttons[name];
      button.addEventListener('click', async () => {
        if (button.ariaDisabled === 'true') return;
        // Not |disabled|, which would take the focus away from the keyboard.
        button.ariaDisabled = 'true';
        try {
          await this.#acts[name]();
        } finally {
          button.ariaDisabled = 'false';
          this.refresh();
        }
      });
    }
    this.#draw();
  }

  /** Asks the appliance how it is, and goes on asking while it runs. */
  async refresh() {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#asking = true;
    try {
      const { certificates } = await this.#fortnight.status();
      this.#certificates = certificates;
    } catch {
      // It has stopped meanwhile, which shows by itself.
      this.#certificates = undefined;
    }
    this.#asking = false;
    this.#draw();
    if (this.#again) {
      this.#again = false;
      this.refresh();
    } else if (this.#fortnight.state !== 'stopped') {
      this.#timer = setTimeout(() => this.refresh(), POLL_MS);
    }
  }

  /** It has stopped. */
  clear() {
    clearTimeout(this.#timer);
    this.#certificates = undefined;
    unask();
    this.#draw();
  }

  #draw() {
    const certificates = this.#certificates;
    const { mood, title, text } = health(certificates);
    byId('health', HTMLElement).dataset.mood = mood;
    set('health-title', title);
    set('health-text', text);
    const trouble = byId('trouble', HTMLElement);
    trouble.hidden = !certificates?.problem;
    set('trouble', certificates?.problem ? plain(certificates.problem, 500) : '');
    const slots = {
      active: certificates && activeOf(certificates),
      standby: certificates && standbyOf(certificates),
    };
    const drawn = tracks(slots, certificates?.now ?? 0);
    for (const use of USES) {
      set(`${use}-span`, span(slots[use], use));
      const bar = byId(`${use}-track`, HTMLElement);
      bar.classList.toggle('known', drawn[use] !== undefined);
      for (const [name, at] of Object.entries(drawn[use] ?? {})) bar.style.setProperty(`--${name}`, String(at));
    }
    this.#buttons.rotate.disabled = this.#buttons.revoke.disabled = !slots.active;
    this.#buttons.reset.disabled = !certificates;
  }

  /**
   * @param {() => Promise<unknown>} task
   * @param {string} what
   */
  async #try(task, what) {
    try {
      await task();
      return true;
    } catch (error) {
      this.#log('error', `not ${what}: ${plain(/** @type {Error} */ (error).message, 500)}`);
      return false;
    }
  }

  async #rotate() {
    try {
      await this.#fortnight.rotate();
    } catch (error) {
      const certificates = this.#certificates;
      const left = certificates?.until.standby_ready ?? 0;
      if (certificates && standbyOf(certificates)?.state === 'PUBLISHED' && left > 0) {
        if (await ask({
          title: 'The standby is not ready yet',
          text: ['Its hash was published only a short while ago. Clients that have not heard of it would be refused.',
            `It is ready ${inWords(left)}.`],
          yes: 'Rotate anyway',
        })) await this.#try(() => this.#fortnight.rotate({ force: true }), 'rotated');
        return;
      }
      this.#log('error', `not rotated: ${plain(/** @type {Error} */ (error).message, 500)}`);
    }
  }

  async #revoke() {
    const warm = this.#certificates && ['READY', 'PUBLISHED'].includes(standbyOf(this.#certificates)?.state ?? '');
    if (await ask({
      title: 'Revoke the active certificate?',
      text: ['Do this if its key may be known to somebody else.',
        'Its hash is no longer published, and every session that was opened with it is closed, at once.',
        warm ? 'The standby takes over in the same moment: clients that have the link can come back.'
          : 'There is no standby to take over: nobody can connect until a new one is made and its hash handed out.'],
      yes: 'Revoke it',
    })) await this.#try(() => this.#fortnight.command({ command: 'revoke' }), 'revoked');
  }

  async #reset() {
    if (await ask({
      title: 'Begin anew?',
      text: ['Both certificates are revoked and two new ones are made. All sessions are closed.',
        'Every link and every hash that you have handed out stops working, at once and for good. Whoever is to connect needs the new link.',
        'The identity stays: clients that know a mirror find the new hashes by themselves.'],
      yes: 'Reset everything',
      word: 'reset',
    })) await this.#try(() => this.#fortnight.command({ command: 'reset' }), 'reset');
  }
}

/**
 * Writes only what has changed: an assistive technology reads out what is written.
 * @param {string} id
 * @param {string} text
 */
function set(id, text) {
  const found = byId(id, HTMLElement);
  if (found.textContent !== text) found.textContent = text;
}
