// SPDX-License-Identifier: Apache-2.0
/**
 * Which of the app's windows may serve from what is kept: one, the owner.
 *
 * Every window asks for one Web Lock when it opens, and whoever has it is the
 * owner, until it closes, crashes, or gives way; then the next in line is.  The
 * others learn from the owner what it does, over a BroadcastChannel, and one of
 * them may ask for its place.  No window takes it: who serves has clients.
 *
 * Chromium also spares a page that holds a Web Lock when it freezes pages that
 * nobody looks at.
 *
 *   const owner = new Owner();
 *   owner.addEventListener('change', () => {
 *     // owner.role, owner.told; owner.inherited if it is 'owner' now
 *   });
 *   owner.addEventListener('asked', async () => {
 *     await stop();     // And tell nothing of it: the heir is to go on.
 *     owner.giveWay();
 *   });
 *   owner.tell({ serving: true, url, options });
 *   // In another window, at the press of a button:
 *   if (!await owner.takeOver()) say('the other window does not answer');
 */

const NAME = 'fortnight-owner';

/*
 * A page that is just being left, as by a reload, still has the lock for a
 * moment, and answers no more.  An owner that does answer is known at once.
 */
const GRACE_MS = 1000;

/* How long an owner may take to say goodbye to its clients. */
const PATIENCE_MS = 15_000;

/**
 * @typedef {'asking'|'owner'|'other'} Role 'other': another window is the
 *     owner
 *
 * @typedef {{type: 'who'}
 *   | {type: 'owner', id: string, told: unknown}
 *   | {type: 'ask', id: string}} Message between windows
 */

/**
 * Events: 'change', of |role| or |told|; 'asked', only if it is the owner:
 * another window would like to be it, see giveWay().
 */
export class Owner extends EventTarget {
  #id = globalThis.crypto.randomUUID();
  #locks;
  #name;
  #graceMs;
  #channel;
  #closing = new AbortController();
  /** @type {Role} */
  #role = 'asking';
  /** @type {unknown} what this window says of itself */
  #words;
  /** @type {unknown} what the owner said last, if that is another window */
  #told;
  /** @type {unknown} */
  #inherited;
  /** @type {string|undefined} the window that has asked for the owner's place */
  #asker;
  /** @type {string|undefined} the window that owned when it was last heard */
  #owner;
  #wanting = false;
  /** @type {() => void} */
  #release = () => {};
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #grace;

  /**
   * Gets in line.
   * @param {object} [init] for tests
   * @param {LockManager|null} [init.locks] where there is none, every window
   *     is an owner
   * @param {string} [init.name]
   * @param {number} [init.graceMs]
   */
  constructor({ locks = navigator.locks, name = NAME, graceMs = GRACE_MS } = {}) {
    super();
    this.#locks = locks;
    this.#name = name;
    this.#graceMs = graceMs;
    this.#channel = new BroadcastChannel(name);
    this.#channel.addEventListener('message', ({ data }) => this.#receive(data));
    this.#queue();
  }

  get role() {
    return this.#role;
  }

  /** What the owner has told, if it is another window and has told something. */
  get told() {
    return this.#told;
  }

  /** For an owner that another was before it: the last that that one told. */
  get inherited() {
    return this.#inherited;
  }

  /**
   * Says what this window does, for the others to show as long as it is the
   * owner, and for its heir.
   * @param {unknown} words what structuredClone() takes; no secrets
   */
  tell(words) {
    this.#words = words;
    if (this.#role === 'owner') this.#post({ type: 'owner', id: this.#id, told: words });
  }

  /**
   * Asks the owner for its place.
   * @param {number} [patienceMs]
   * @returns {Promise<boolean>} whether this is the owner now; it may still
   *     become it later
   */
  takeOver(patienceMs = PATIENCE_MS) {
    return new Promise((resolve) => {
      const settle = () => {
        if (this.#role !== 'owner' && !this.#closing.signal.aborted) return;
        done();
      };
      const done = () => {
        this.#wanting = false;
        clearTimeout(timer);
        this.removeEventListener('change', settle);
        resolve(this.#role === 'owner');
      };
      const timer = setTimeout(done, patienceMs);
      this.addEventListener('change', settle);
      this.#wanting = true;
      this.#ask();
      settle();
    });
  }

  #ask() {
    this.#asker = this.#id;
    this.#post({ type: 'ask', id: this.#id });
  }

  /** Is no owner any more, and last in line. */
  giveWay() {
    if (this.#role !== 'owner') return;
    this.#role = 'asking';
    this.#release();
    this.dispatchEvent(new Event('change'));
  }

  /** Leaves the line; a window that closes need not do so. */
  close() {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    clearTimeout(this.#grace);
    this.#channel.close();
    this.#role = 'other';
    this.#release();
    this.dispatchEvent(new Event('change'));
  }

  async #queue() {
    const { signal } = this.#closing;
    if (!this.#locks) {
      this.#own();
      return;
    }
    while (!signal.aborted) {
      this.#post({ type: 'who' });
      this.#grace = setTimeout(() => this.#isOther(undefined), this.#graceMs);
      try {
        await this.#locks.request(this.#name, { signal }, () => this.#hold());
      } catch (error) {
        if (signal.aborted) return;
        clearTimeout(this.#grace);
        if (/** @type {Error} */ (error).name !== 'AbortError') {
          // There are no locks to be had here: the state's files decide.
          this.#own();
          return;
        }
        // Somebody stole it, by hand: nothing here does.
        this.#role = 'asking';
        this.dispatchEvent(new Event('change'));
      }
    }
  }

  /** @returns {Promise<void>|undefined} resolved when the lock may go */
  #hold() {
    clearTimeout(this.#grace);
    if (this.#asker !== undefined && this.#asker !== this.#id) {
      // The place was left to another, who stands behind this one.
      this.#asker = undefined;
      return undefined;
    }
    /** @type {Promise<void>} */
    const held = new Promise((resolve) => { this.#release = resolve; });
    this.#own();
    return held;
  }

  #own() {
    this.#role = 'owner';
    this.#inherited = this.#told;
    this.#told = undefined;
    this.#asker = undefined;
    this.#post({ type: 'owner', id: this.#id, told: this.#words });
    this.dispatchEvent(new Event('change'));
  }

  /** @param {unknown} told */
  #isOther(told) {
    clearTimeout(this.#grace);
    this.#role = 'other';
    this.#told = told;
    this.dispatchEvent(new Event('change'));
  }

  /** @param {Message} message */
  #receive(message) {
    switch (message.type) {
      case 'who':
        if (this.#role === 'owner') this.#post({ type: 'owner', id: this.#id, told: this.#words });
        break;
      case 'owner':
        this.#asker = undefined;
        // What was said before this one became the owner is old.
        if (this.#role === 'owner') break;
        // The lock may be faster than the question: then somebody else has it.
        if (this.#wanting && message.id !== this.#owner) this.#ask();
        this.#owner = message.id;
        this.#isOther(message.told);
        break;
      case 'ask':
        this.#asker = message.id;
        if (this.#role === 'owner') this.dispatchEvent(new Event('asked'));
        break;
    }
  }

  /** @param {Message} message */
  #post(message) {
    if (!this.#closing.signal.aborted) this.#channel.postMessage(message);
  }
}
