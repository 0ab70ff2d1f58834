// SPDX-License-Identifier: Apache-2.0
/**
 * The appliance as the page and DevTools see it (`globalThis.fortnight`).
 * It starts a worker for each run and ends it with the run.
 */
import { ApplianceError } from '../server/exit_codes.js';
import { Replies } from '../server/replies.js';

/**
 * @typedef {import('../server/types.d.ts').ApplianceOptions} ApplianceOptions
 * @typedef {import('../server/types.d.ts').ApplianceEvent} ApplianceEvent
 * @typedef {import('../server/types.d.ts').FromWorker} FromWorker
 * @typedef {'stopped'|'starting'|'serving'|'stopping'} State
 */

const WORKER = '/server/worker.js';
const MODULE = '/fortnight.mjs';
const WASM = '/fortnight.wasm';

/* How long a run may take to say goodbye to its peers. */
const STOP_TIMEOUT_MS = 5000;

/**
 * Events: 'state' (read |state|), and 'events', a CustomEvent whose detail is
 * one batch of the appliance's events.
 */
export class Fortnight extends EventTarget {
  /** @type {State} */
  #state = 'stopped';
  /** @type {Run|undefined} */
  #run;
  /** @type {ApplianceOptions} */
  #options = {};

  /** @type {Worker|undefined} of the next run */
  #spare;
  /** @type {Promise<unknown>|undefined} */
  #compiled;

  get state() {
    return this.#state;
  }

  /**
   * Has at hand what a start would have to wait for: a worker with its modules,
   * and the WebAssembly.  Chromium compiles the same octets once for all who
   * live in one process, for as long as one of them holds on to the result.
   */
  prepare() {
    this.#compiled ??= compile().catch(() => {
      // Whoever needs it will say why.
    });
    if (this.#spare || this.#run) return;
    const worker = makeWorker();
    worker.addEventListener('error', (event) => {
      // Not to be had now; the next start tries for itself.
      if (this.#spare !== worker) return;
      event.preventDefault();
      this.#spare = undefined;
    });
    this.#spare = worker;
  }

  /** What the current run, or the last one, was started with. */
  get options() {
    return this.#options;
  }

  /**
   * @param {ApplianceOptions} [options]
   * @returns {Promise<import('../server/types.d.ts').ReadyEvent>} rejected with an
   *     ApplianceError, whose |code| says why it cannot serve
   */
  async start(options = {}) {
    if (this.#run) throw new Error(`already ${this.#state}`);
    this.#options = { ...options };
    const worker = this.#spare ?? makeWorker();
    this.#spare = undefined;
    const run = new Run(worker, this.#options, (events) => {
      if (events.some(({ type }) => type === 'ready')) this.#become('serving');
      this.dispatchEvent(new CustomEvent('events', { detail: events }));
    });
    this.#run = run;
    this.#become('starting');
    run.ended.then(() => {
      this.#run = undefined;
      this.#become('stopped');
      this.prepare();
    });
    return run.ready;
  }

  /** Resolved when it has stopped; at once when it does not run. */
  async stop() {
    const run = this.#run;
    if (!run) return;
    if (this.#state === 'starting') {
      // It may wait for the person to answer a prompt, and serves nobody yet.
      run.end(new Error('stopped before it served'));
    } else if (this.#state === 'serving') {
      this.#become('stopping');
      run.stop();
    }
    await run.ended;
  }

  /**
   * @param {import('../server/types.d.ts').Command} command
   * @returns {Promise<any>} the reply
   */
  async command(command) {
    if (!this.#run) throw new Error('not started');
    return this.#run.command(command);
  }

  /**
   * Swaps the certificate now; refused until the standby is ready, unless it is
   * forced.
   * @param {{force?: boolean}} [options]
   * @returns {Promise<import('../server/types.d.ts').Published>}
   */
  rotate({ force = false } = {}) {
    return this.command({ command: 'rotate', force });
  }

  /**
   * @returns {Promise<{run: State} & Partial<import('../server/types.d.ts').Status>>}
   *     |run| alone if it does not run; while it starts, once it can tell
   */
  async status() {
    if (!this.#run) return { run: this.#state };
    return { ...await this.command({ command: 'status' }), run: this.#state };
  }

  /** @param {State} state */
  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.dispatchEvent(new Event('state'));
  }
}

/** The WebAssembly, which a bundle has in a form of its own (manifest/packed.mjs). */
async function compile() {
  /** @type {{prepare?: () => Promise<unknown>}} */
  const { prepare } = await import(/* @vite-ignore */ MODULE);
  return prepare ? prepare() : WebAssembly.compileStreaming(fetch(WASM));
}

/** One worker, one run. */
class Run {
  /** @type {Worker} */
  #worker;
  #replies = new Replies();
  #over = false;
  /** @type {ApplianceError|undefined} */
  #failure;
  #onEvents;
  /** @type {(event: import('../server/types.d.ts').ReadyEvent) => void} */
  #isReady = () => {};
  /** @type {(error: Error) => void} */
  #neverReady = () => {};
  /** @type {() => void} */
  #hasEnded = () => {};

  /**
   * @param {Worker} worker that nobody else uses
   * @param {ApplianceOptions} options
   * @param {(events: ApplianceEvent[]) => void} onEvents
   */
  constructor(worker, options, onEvents) {
    this.#onEvents = onEvents;
    /** @type {Promise<import('../server/types.d.ts').ReadyEvent>} */
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#neverReady = reject;
    });
    /** @type {Promise<void>} */
    this.ended = new Promise((resolve) => { this.#hasEnded = resolve; });
    this.#worker = worker;
    this.#worker.addEventListener('message', ({ data }) => this.#receive(data));
    this.#worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#fail(event.message || `${WORKER} could not be loaded`);
    });
    this.#post({ type: 'start', options });
  }

  /** @param {import('../server/types.d.ts').Command} command */
  command(command) {
    if (this.#over) return Promise.reject(new Error('the appliance has stopped'));
    return this.#replies.ask((id) => this.#post({ type: 'command', id, command }));
  }

  stop() {
    this.#post({ type: 'stop' });
    const timer = setTimeout(() => {
      this.#tell([{ type: 'log', level: 'warning',
        text: 'the appliance did not stop in time and was ended' }]);
      this.end();
    }, STOP_TIMEOUT_MS);
    this.ended.then(() => clearTimeout(timer));
  }

  /** @param {Error} [why] */
  end(why = this.#failure ?? new Error('the appliance has stopped')) {
    if (this.#over) return;
    this.#over = true;
    this.#worker.terminate();
    this.#neverReady(why);
    this.#replies.end(why);
    this.#hasEnded();
  }

  /** @param {string} text */
  #fail(text) {
    if (this.#over) return;
    this.#failure ??= new ApplianceError('internal', text);
    this.#tell([{ type: 'error', code: 'internal', text }]);
    this.end();
  }

  /** @param {FromWorker} message */
  #receive(message) {
    if (this.#over) return;
    switch (message.type) {
      case 'events':
        this.#tell(message.events);
        break;
      case 'reply':
        this.#replies.resolve(message.id, message.reply);
        break;
      case 'refused':
        this.#replies.reject(message.id, new Error(message.text));
        break;
      case 'exited':
        this.end();
        break;
    }
  }

  /** @param {ApplianceEvent[]} events */
  #tell(events) {
    for (const event of events) {
      if (event.type === 'error') this.#failure = new ApplianceError(event.code, event.text);
      if (event.type === 'ready') this.#isReady(event);
    }
    this.#onEvents(events);
  }

  /** @param {import('../server/types.d.ts').ToWorker} message */
  #post(message) {
    this.#worker.postMessage(message);
  }
}

const makeWorker = () => new Worker(workerUrl(), { type: 'module', name: 'fortnight' });

/** @type {{createScriptURL(url: string): any}|undefined} */
let policy;

/**
 * The worker's URL as Trusted Types want it: by a policy that knows this one
 * URL and no other.
 * @returns {string}
 */
function workerUrl() {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  if (!trustedTypes) return WORKER;
  policy ??= trustedTypes.createPolicy('fortnight-worker', {
    createScriptURL: (/** @type {string} */ url) => {
      if (url !== WORKER) throw new TypeError(`not a worker of ours: ${url}`);
      return url;
    },
  });
  return /** @type {any} */ (policy).createScriptURL(WORKER);
}
