// SPDX-License-Identifier: Apache-2.0
/** The address, the link, the identity and the hashes, each to be copied. */
import { byId, element } from './dom.js';
import { groups, hexToBase64, snippet } from './formats.js';

const USES = /** @type {const} */ (['active', 'standby']);

/* How long a button says that it has copied. */
const COPIED_MS = 1500;

export class ConnectView {
  /** @type {import('../server/types.d.ts').Published|undefined} */
  #published;
  #url = byId('url', HTMLElement);
  #link = byId('link', HTMLElement);
  #identity = byId('identity', HTMLElement);
  #copied = byId('copied', HTMLElement);
  #buttons = [...document.querySelectorAll('button.copy')]
    .filter((found) => found instanceof HTMLButtonElement);

  constructor() {
    for (const button of this.#buttons) {
      button.disabled = true;
      button.addEventListener('click', () => this.#copy(button));
    }
  }

  /** @param {import('../server/types.d.ts').Published|undefined} published */
  show(published) {
    this.#published = published;
    this.#url.textContent = published?.url ?? '';
    this.#link.textContent = published?.link ?? '';
    this.#identity.textContent = published?.identity ?? '';
    for (const use of USES) {
      const output = byId(use, HTMLElement);
      const hex = this.#hex(use);
      if (output.dataset.hex === hex) continue;
      const replaced = Boolean(output.dataset.hex) && hex !== '';
      output.dataset.hex = hex;
      output.replaceChildren(...groups(hex).map((group) => element('span', {}, group)));
      // The animation begins anew only if the class was away for a layout.
      output.classList.remove('changed');
      if (replaced) {
        void output.offsetWidth;
        output.classList.add('changed');
      }
    }
    for (const button of this.#buttons) button.disabled = !this.#text(button);
  }

  /** @param {string} text what stands where the address will be */
  wait(text) {
    this.#url.dataset.empty = text;
  }

  /** @param {string|undefined} use */
  #hex(use) {
    return this.#published?.hashes.find((hash) => hash.use === use)?.hex ?? '';
  }

  /**
   * @param {HTMLButtonElement} button
   * @returns {string} what it copies; '' if there is nothing
   */
  #text({ dataset: { form, use } }) {
    if (!this.#published) return '';
    switch (form) {
      case 'url': return this.#published.url ?? '';
      case 'link': return this.#published.link ?? '';
      case 'identity': return this.#published.identity;
      case 'snippet': return snippet(this.#published);
      case 'hex': return this.#hex(use);
      case 'base64': return hexToBase64(this.#hex(use));
      default: return '';
    }
  }

  /** @param {HTMLButtonElement} button */
  async #copy(button) {
    const text = this.#text(button);
    const label = (button.dataset.label ??= button.textContent ?? '');
    const said = await copy(text) ? 'Copied' : 'Refused';
    button.textContent = said;
    this.#copied.textContent = said === 'Copied'
      ? (button.getAttribute('aria-label') ?? label).replace(/^Copy/, 'Copied')
      : 'The browser refused to copy';
    const told = this.#copied.textContent;
    setTimeout(() => {
      button.textContent = label;
      if (this.#copied.textContent === told) this.#copied.textContent = '';
    }, COPIED_MS);
  }
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
