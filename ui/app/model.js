// SPDX-License-Identifier: Apache-2.0
/**
 * What the page knows, and all that can be done from it.  The views draw it
 * and call its methods; it knows nothing of them, and says 'change' when there
 * is something new to draw.
 */
import { ApplianceError } from '../server/exit_codes.js';
import { logLine, plain } from './formats.js';
import { activeOf, inWords, standbyOf } from './lifecycle.js';
import { Log } from './log.js';
import { beforePrompt, explain, notPersistent, otherWindow, wrongClock, FEATURES } from './messages.js';
import { APP_NAMES, parseFields } from './options.js';
import { Sessions } from './sessions.js';
import { INITIAL, loadSettings, saveSettings } from './settings.js';
import { Throughput } from './throughput.js';

/**
 * @typedef {import('../server/types.d.ts').ApplianceEvent} ApplianceEvent
 * @typedef {import('../server/types.d.ts').ApplianceOptions} ApplianceOptions
 * @typedef {import('../server/types.d.ts').Status} Status
 * @typedef {import('./messages.js').Message} Message
 * @typedef {import('./messages.js').Action} Action
 * @typedef {import('./options.js').Fields} Fields
 * @typedef {import('./formats.js').Form} Form
 *
 * @typedef {object} Question
 * @property {string} title
 * @property {string[]} text paragraphs
 * @property {string} yes what the button says that does it
 * @property {string} [word] to be typed before that can be pressed
 */

/* What changes by itself with the time, and the figures. */
const POLL_MS = 1000;
/* Every session is in the answer. */
const MANY_SESSIONS = 300;
const POLL_MANY_MS = 5000;

/* What changes how the certificates are. */
const CHANGES = new Set(['ready', 'certificates', 'state', 'journal']);

const DISMISSED = 'fortnight.storage-notice';

export class Model extends EventTarget {
  /** @type {import('./fortnight.js').Fortnight} */
  fortnight;
  log = new Log();
  sessions = new Sessions();
  throughput = new Throughput();
  /** @type {Fields} */
  fields;
  /** @type {Partial<Record<keyof Fields, string>>} what the appliance refused */
  refused = {};
  /** @type {import('../server/types.d.ts').Published|undefined} */
  published;
  /** @type {Status|undefined} */
  status;
  /** Whether the identity and the certificates outlive the run. */
  kept = true;
  /** @type {Message|undefined} beside everything else */
  notice;
  /** @type {import('./messages.js').Permissions} */
  permissions = {};
  /** @type {Form} the form that is shown in full */
  shown = 'snippet';

  #storage;
  #ask;
  #owner;
  /** @type {Message|undefined} */
  #screen;
  /** @type {'asks'|'unanswered'|undefined} */
  #takingOver;
  #leaving = false;
  #isVisible = () => true;
  #asking = false;
  #again = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #persistent = false;

  /**
   * @param {object} init
   * @param {import('./fortnight.js').Fortnight} init.fortnight
   * @param {Storage} [init.storage] for the settings
   * @param {(question: Question) => Promise<boolean>} init.ask
   * @param {import('./owner.js').Owner} [init.owner] where there is none, this
   *     window is the only one
   * @param {() => boolean} [init.isVisible] a page that nobody sees asks for no
   *     figures
   */
  constructor({ fortnight, storage, ask, owner, isVisible = () => true }) {
    super();
    this.fortnight = fortnight;
    this.#storage = storage;
    this.#ask = ask;
    this.#owner = owner;
    this.#isVisible = isVisible;
    this.fields = loadSettings(storage);
    fortnight.addEventListener('state', () => this.#onState());
    fortnight.addEventListener('events', (event) => {
      this.#receive(/** @type {CustomEvent<ApplianceEvent[]>} */ (event).detail);
    });
    owner?.addEventListener('change', () => this.changed());
    owner?.addEventListener('asked', async () => {
      this.say('info', 'Another window takes over');
      // What this one has done until now is what that one goes on with.
      this.#leaving = true;
      await this.stop();
      owner.giveWay();
      this.#leaving = false;
      this.#tellOthers();
    });
  }

  changed() {
    this.dispatchEvent(new Event('change'));
  }

  /** As changed(), for what has to be on the page before this returns. */
  changedNow() {
    this.dispatchEvent(new Event('change-now'));
  }

  get state() {
    return this.fortnight.state;
  }

  /**
   * What has the place of what there is to connect with.
   * @returns {Message|undefined}
   */
  get screen() {
    if (this.#screen) return this.#screen;
    if (this.#owner?.role !== 'other' || this.state !== 'stopped') return undefined;
    return otherWindow(/** @type {{serving?: boolean, url?: string}|undefined} */ (this.#owner.told), this.#takingOver);
  }

  set screen(screen) {
    this.#screen = screen;
  }

  get parsed() {
    const parsed = parseFields(this.fields);
    return { ...parsed, errors: { ...parsed.errors, ...this.refused } };
  }

  /* ---- Settings ---- */

  /**
   * @param {keyof Fields} name
   * @param {string} value
   */
  set(name, value) {
    this.fields = { ...this.fields, [name]: value };
    const { [name]: _, ...refused } = this.refused;
    this.refused = refused;
    saveSettings(this.#storage, this.fields);
    this.changed();
  }

  /** @param {ApplianceOptions} options of a start that was not the form's */
  #fill(options) {
    const { address = INITIAL.address, port = INITIAL.port, hosts = [], origins = [], path = INITIAL.path } = options;
    const { profile = '', mirror = '', publish = '', apps = APP_NAMES } = options;
    this.fields = { address, port: String(port), hosts: hosts.join(', '), path,
      apps: apps.join(' '), profile, origins: origins.join(', '), mirror, publish };
  }

  /* ---- Start and stop ---- */

  /**
   * Start was pressed.
   * @returns {keyof Fields|undefined} the first field that will not do
   */
  press() {
    this.refused = {};
    const { options, errors } = parseFields(this.fields);
    const wrong = /** @type {keyof Fields|undefined} */ (Object.keys(errors)[0]);
    if (wrong) {
      // Before the field gets the focus: what is read out then is why.
      this.changedNow();
      return wrong;
    }
    saveSettings(this.#storage, this.fields);
    if (Object.keys(FEATURES).some((name) =>
      this.permissions[/** @type {keyof typeof FEATURES} */ (name)] === 'prompt')) {
      this.screen = beforePrompt(this.permissions, false);
      this.changed();
      return undefined;
    }
    // A failure comes as an 'error' event too, and is shown from there.
    this.start(options).catch(() => {});
    return undefined;
  }

  /** @param {ApplianceOptions} [options] */
  async start(options = {}) {
    if (this.state === 'stopped') {
      this.screen = undefined;
      this.refused = {};
      this.#fill(options);
      if (this.#owner?.role === 'other' && !options.ephemeral) {
        this.changed();
        throw new ApplianceError('state-refused', 'another window of this app has the identity and the certificates');
      }
      if (!options.ephemeral) this.#persist();
      if (Object.values(this.permissions).includes('prompt')) this.screen = beforePrompt(this.permissions, true);
      this.changed();
    }
    return this.fortnight.start(options);
  }

  stop() {
    return this.fortnight.stop();
  }

  /** @param {Action} action of |screen| or |notice| */
  async act({ does, options }) {
    switch (does) {
      case 'start':
      case 'continue':
        this.start({ ...parseFields(this.fields).options, ...options }).catch(() => {});
        break;
      case 'take-over':
        await this.#takeOver();
        break;
      case 'export':
        this.dispatchEvent(new Event('export'));
        break;
      case 'persist':
        await this.#persist();
        break;
      case 'dismiss':
        if (this.screen) this.screen = undefined;
        else {
          this.notice = undefined;
          this.#keep(DISMISSED, 'yes');
        }
        break;
    }
    this.changed();
  }

  /** Has the window that is the owner stop, and goes on in its place. */
  async #takeOver() {
    if (!this.#owner || this.#takingOver === 'asks') return;
    this.#takingOver = 'asks';
    this.changed();
    const done = await this.#owner.takeOver();
    this.#takingOver = done ? undefined : 'unanswered';
    const inherited = /** @type {{serving?: boolean, options?: ApplianceOptions}|undefined} */ (this.#owner.inherited);
    if (done && inherited?.serving) this.start(inherited.options).catch(() => {});
  }

  /** The browser may clear what it has not promised to keep, when room is short. */
  async #persist() {
    if (this.#persistent) return;
    try {
      this.#persistent = await navigator.storage.persist();
    } catch {
      // It has no such promise to give.
    }
    if (this.#persistent) {
      this.notice = undefined;
    } else {
      this.say('warning', 'The browser may clear the certificates and the identity if room is short');
      if (this.#kept(DISMISSED) === null) this.notice = notPersistent();
    }
    this.changed();
  }

  /** @param {string} key */
  #kept(key) {
    try {
      return this.#storage?.getItem(key) ?? null;
    } catch {
      return null;
    }
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  #keep(key, value) {
    try {
      this.#storage?.setItem(key, value);
    } catch {
      // Then it is shown again the next time.
    }
  }

  /* ---- What the appliance says ---- */

  /**
   * @param {string} level
   * @param {string} text
   */
  say(level, text) {
    this.log.add(level, text);
    this.changed();
  }

  #onState() {
    this.#tellOthers();
    if (this.state === 'starting') this.refresh();
    if (this.state === 'stopped') {
      clearTimeout(this.#timer);
      this.say('info', 'Stopped');
      this.kept = true;
      this.published = undefined;
      this.status = undefined;
      this.sessions.clear();
      this.throughput.stop();
      if (this.screen?.kind === 'clock' || this.screen?.actions.length === 0 && this.screen.kind === 'permission') {
        this.screen = undefined;
      }
      this.dispatchEvent(new Event('stopped'));
    }
    this.changed();
  }

  #tellOthers() {
    if (this.#leaving) return;
    const url = this.published?.url ?? undefined;
    const { options } = this.fortnight;
    // The links that are out there name the port, also if any would have done.
    const port = url === undefined ? options.port : Number(new URL(url).port);
    this.#owner?.tell({ serving: this.state === 'serving', url, options: { ...options, port } });
  }

  /** @param {ApplianceEvent[]} events */
  #receive(events) {
    if (events.some(({ type }) => CHANGES.has(type))) this.refresh();
    for (const event of events) {
      const line = logLine(event);
      if (line) this.log.add(line.level, line.text);
      switch (event.type) {
        case 'listening':
          // Whatever Chromium asked is answered.
          if (this.screen?.kind === 'permission') this.screen = undefined;
          break;
        case 'ready':
          this.kept = !event.ephemeral;
          this.published = event;
          this.screen = undefined;
          this.#tellOthers();
          break;
        case 'certificates':
          this.published = event;
          break;
        case 'ephemeral':
          this.kept = false;
          break;
        case 'session-opened':
          this.sessions.open(event, performance.now());
          break;
        case 'session-closed':
          this.sessions.close(event.session);
          break;
        case 'error':
          this.#explain(event);
          break;
      }
    }
    // What the person waits for comes with the next frame, not the one after.
    if (events.some(({ type }) => type === 'ready')) this.changedNow();
    this.changed();
  }

  /** @param {Extract<ApplianceEvent, {type: 'error'}>} event */
  #explain({ code, text }) {
    const { options } = this.fortnight;
    const message = explain(code, text, options, this.permissions);
    // The appliance's own text speaks to a terminal.
    this.log.add('error', ['internal', 'bad-option'].includes(code)
      ? `${message.title}: ${plain(text, 2000)}` : message.title);
    this.screen = message;
    this.refused = message.fields ?? {};
  }

  /** Asks the appliance how it is, and goes on asking while it runs. */
  async refresh() {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#asking = true;
    /** @type {Partial<Status>|undefined} */
    let status;
    try {
      status = await this.fortnight.status();
    } catch {
      // It has stopped meanwhile, which shows by itself.
    }
    this.#asking = false;
    if (this.state === 'stopped') return;
    this.#take(status);
    if (this.#again) {
      this.#again = false;
      this.refresh();
    } else if (this.#isVisible()) {
      this.#timer = setTimeout(() => this.refresh(),
        this.sessions.size > MANY_SESSIONS ? POLL_MANY_MS : POLL_MS);
    }
  }

  /** @param {Partial<Status>|undefined} status */
  #take(status) {
    this.status = status?.certificates ? /** @type {Status} */ (status) : undefined;
    if (this.status) {
      const now = performance.now();
      this.sessions.update(this.status.sessions, now);
      this.throughput.add(now, this.status.counters, this.sessions.size);
      const { state } = this.status.certificates;
      if (state === 'WAITING_FOR_TIME') this.screen = wrongClock(new Date(this.status.certificates.now * 1000));
      else if (this.screen?.kind === 'clock') this.screen = undefined;
    }
    this.changed();
  }

  get certificates() {
    return this.status?.certificates;
  }

  /* ---- What can be done with the certificates ---- */

  /**
   * @param {() => Promise<unknown>} task
   * @param {string} what
   */
  async #try(task, what) {
    try {
      await task();
    } catch (error) {
      this.say('error', `not ${what}: ${plain(/** @type {Error} */ (error).message, 500)}`);
    }
    this.refresh();
  }

  async rotate() {
    try {
      await this.fortnight.rotate();
      this.refresh();
    } catch (error) {
      const { certificates } = this;
      const left = certificates?.until.standby_ready ?? 0;
      if (certificates && standbyOf(certificates)?.state === 'PUBLISHED' && left > 0) {
        if (await this.#ask({
          title: 'The standby is not ready yet',
          text: ['Its hash was published only a short while ago. Clients that have not heard of it would be refused.',
            `It is ready ${inWords(left)}.`],
          yes: 'Rotate anyway',
        })) await this.#try(() => this.fortnight.rotate({ force: true }), 'rotated');
        return;
      }
      this.say('error', `not rotated: ${plain(/** @type {Error} */ (error).message, 500)}`);
    }
  }

  async revoke() {
    const { certificates } = this;
    const warm = certificates && ['READY', 'PUBLISHED'].includes(standbyOf(certificates)?.state ?? '');
    const n = this.sessions.size;
    if (await this.#ask({
      title: 'Revoke the active certificate?',
      text: ['Do this if its key may be known to somebody else.',
        'Its hash is no longer published, and every session that was opened with it is closed, at once.'
          + (n > 0 ? ` There ${n === 1 ? 'is 1 session' : `are ${n} sessions`} now.` : ''),
        warm ? 'The standby takes over in the same moment: clients that have the link can come back.'
          : 'There is no standby to take over: nobody can connect until a new one is made and its hash handed out.'],
      yes: 'Revoke it',
    })) await this.#try(() => this.fortnight.command({ command: 'revoke' }), 'revoked');
  }

  async reset() {
    if (await this.#ask({
      title: 'Begin anew?',
      text: ['Both certificates are revoked and two new ones are made. All sessions are closed.',
        'Every link and every hash that you have handed out stops working, at once and for good. Whoever is to connect needs the new link.',
        'The identity stays: clients that know a mirror find the new hashes by themselves.'],
      yes: 'Reset everything',
      word: 'reset',
    })) await this.#try(() => this.fortnight.command({ command: 'reset' }), 'reset');
  }

  /** Whether there is one to be swapped or revoked. */
  get hasActive() {
    return this.certificates !== undefined && activeOf(this.certificates) !== undefined;
  }
}
