// SPDX-License-Identifier: Apache-2.0
/**
 * Runs the WASM appliance: the one place that knows how JavaScript and the C
 * code talk.  The worker of the Isolated Web App and the Node host both stand
 * on it.
 *
 * The WASM is one long call, fortnight_run(), which is suspended whenever it
 * waits for datagrams.  Nothing may enter it meanwhile, so a command is a JSON
 * text in an array that the loop empties when dsWake() ends its wait, and what
 * the loop has to tell comes out once per turn, as one batch of events.
 */
import { ApplianceError, errorCodeOf, exitCodeOf } from './exit_codes.js';
import { IN_FLIGHT_MAX, TAKEN_MAX } from './records.js';
import { Replies } from './replies.js';

/**
 * Nothing can be kept here, for a reason that does not pass: the appliance may
 * serve all the same.
 */
export class NoStoreError extends Error {
  /** @param {string} text */
  constructor(text) {
    super(text);
    this.name = 'NoStoreError';
  }
}

/**
 * @typedef {import('./types.d.ts').ApplianceEvent} ApplianceEvent
 * @typedef {import('./types.d.ts').ReadyEvent} ReadyEvent
 * @typedef {import('./types.d.ts').FortnightStore} FortnightStore
 */

/**
 * Starts an appliance.
 *
 * @param {object} init
 * @param {import('./types.d.ts').CreateModule} init.createModule
 *     the default export of fortnight.mjs
 * @param {import('./types.d.ts').ApplianceOptions} init.options
 * @param {() => FortnightStore | Promise<FortnightStore>} [init.openStore]
 *     opens what the state is kept in, and is closed here; not called for an
 *     appliance that is ephemeral, which one without this is.  Throws a
 *     NoStoreError to have it serve without one, else it does not serve.
 * @param {(events: ApplianceEvent[]) => void} [init.onEvents]
 *     gets each batch; replies are not among them.  What it throws is
 *     reported and does not reach the appliance.
 * @param {(message: import('./types.d.ts').BatchMessage) => void} [init.onBatch]
 *     gets the records of sessions (records.js), if options.paths claims any
 * @param {Partial<import('./types.d.ts').FortnightModuleOptions>} [init.moduleOptions]
 * @returns {import('./types.d.ts').Appliance}
 */
export function startAppliance({ createModule, options, openStore, onEvents, onBatch, moduleOptions }) {
  const batches = new Batches(onBatch ?? (() => {}), () => module?.dsWake());
  /** @type {string[]} */
  const queue = [];
  const replies = new Replies();
  const ready = deferred(/** @type {ReadyEvent|undefined} */ (undefined));
  const exited = deferred(0);
  // Whoever does not ask for |ready| learns of a failure by |exited|.
  ready.promise.catch(() => {});

  /** @type {import('./types.d.ts').FortnightModule|undefined} */
  let module;
  /** @type {ApplianceError|undefined} */
  let failure;
  let over = false;

  /** @param {ApplianceEvent[]} events */
  function tell(events) {
    if (events.length === 0 || !onEvents) return;
    try {
      onEvents(events);
    } catch (error) {
      // Not here: this may run inside a call that WASM made.
      queueMicrotask(() => { throw error; });
    }
  }

  /** @param {ApplianceEvent[]} events */
  function receive(events) {
    const told = [];
    for (const event of events) {
      if (event.type === 'reply') {
        settle(event.id, event.reply);
        continue;
      }
      if (event.type === 'ready') ready.resolve(event);
      if (event.type === 'error') failure = new ApplianceError(event.code, event.text);
      told.push(event);
    }
    tell(told);
  }

  /**
   * @param {number} id
   * @param {any} reply
   */
  function settle(id, reply) {
    if (reply && typeof reply.error === 'string') {
      replies.reject(id, new Error(reply.error));
    } else {
      replies.resolve(id, reply);
    }
  }

  /** @param {number} code */
  function end(code) {
    over = true;
    if (code !== 0 && !failure) {
      failure = new ApplianceError(errorCodeOf(code),
        `the appliance ended with exit code ${code}`);
      tell([{ type: 'error', code: failure.code, text: failure.message }]);
    }
    const why = failure ?? new Error('the appliance has stopped');
    ready.reject(why);
    replies.end(new Error(`not carried out: ${why.message}`));
    exited.resolve(code);
  }

  /** @param {unknown} error */
  function fault(error) {
    const text = String(/** @type {Error|undefined} */ (error)?.message ?? error);
    failure ??= error instanceof ApplianceError ? error : new ApplianceError('internal', text);
    tell([{ type: 'error', code: failure.code, text: failure.message }]);
    end(exitCodeOf(failure));
  }

  /** @returns {Promise<FortnightStore|undefined>} */
  async function open() {
    if (!openStore || options.ephemeral) return undefined;
    try {
      return await openStore();
    } catch (error) {
      if (!(error instanceof NoStoreError)) throw error;
      tell([{ type: 'ephemeral', text: error.message }]);
      return undefined;
    }
  }

  async function run() {
    /** @type {FortnightStore|undefined} */
    let store;
    try {
      store = await open();
      module = await createModule({
        ...moduleOptions, onFortnightEvents: receive, fortnightCommands: queue, fortnightStore: store,
        ...batches.moduleOptions,
      });
      const code = await module.ccall('fortnight_run', 'number', ['string'],
        [JSON.stringify({ ...options, ephemeral: !store })], { async: true });
      store?.close();
      end(code);
    } catch (error) {
      try {
        store?.close();
      } catch {
        // Whatever it is: it ends with this thread.
      }
      // exit() inside the WASM unwinds by an ExitStatus; all else is a fault.
      const { name, status } = /** @type {any} */ (error) ?? {};
      if (name === 'ExitStatus' && typeof status === 'number') end(status);
      else fault(error);
    }
  }

  /** @param {import('./types.d.ts').Command} command */
  function send(command) {
    if (over) {
      return Promise.reject(failure ?? new Error('the appliance has stopped'));
    }
    return replies.ask((id) => {
      queue.push(JSON.stringify({ ...command, id }));
      module?.dsWake();
    });
  }

  /** @type {Promise<void>|undefined} */
  let stopping;
  run();
  return {
    ready: /** @type {Promise<ReadyEvent>} */ (ready.promise),
    exited: exited.promise,
    command: send,
    batch: (message) => batches.receive(message),
    stop() {
      // The exit is the answer: a reply to `stop` may or may not come before.
      stopping ??= exited.promise.then(() => {});
      if (!over) send({ command: 'stop' }).catch(() => {});
      return stopping;
    },
  };
}

/**
 * The ways of records in and out of the WASM.  While the application has as
 * many batches before it as it may, what happens is gathered.
 */
class Batches {
  /** @type {Uint8Array[]} what the WASM has not taken yet */
  #waiting = [];
  #onBatch;
  #wake;
  #inFlight = 0;
  /** The WASM has one, and was told to wait. */
  #wanted = false;
  #taken = 0;

  /**
   * @param {(message: import('./types.d.ts').BatchMessage) => void} onBatch
   * @param {() => void} wake
   */
  constructor(onBatch, wake) {
    this.#onBatch = onBatch;
    this.#wake = wake;
  }

  /** @returns {Partial<import('./types.d.ts').FortnightModuleOptions>} */
  get moduleOptions() {
    return {
      fortnightBatches: this.#waiting,
      onFortnightBatchTaken: () => {
        // Told when the WASM suspends, if not before with a batch.
        if (++this.#taken === TAKEN_MAX) queueMicrotask(() => this.#send(undefined));
      },
      fortnightRoom: () => {
        this.#wanted = this.#inFlight >= IN_FLIGHT_MAX;
        return !this.#wanted;
      },
      onFortnightBatch: (data) => {
        this.#inFlight++;
        this.#send(data);
      },
    };
  }

  /** @param {import('./types.d.ts').BatchMessage} message */
  receive({ data, taken }) {
    this.#inFlight -= taken;
    if (data) this.#waiting.push(data instanceof Uint8Array ? data : new Uint8Array(data));
    if (data || (this.#wanted && this.#inFlight < IN_FLIGHT_MAX)) this.#wake();
  }

  /** @param {ArrayBuffer|undefined} data */
  #send(data) {
    if (!data && this.#taken < TAKEN_MAX) return;
    const taken = this.#taken;
    this.#taken = 0;
    this.#onBatch({ type: 'batch', data, taken });
  }
}

/**
 * @template T
 * @param {T} _example for its type
 */
function deferred(_example) {
  /** @type {(value: T) => void} */
  let resolve = () => {};
  /** @type {(error: Error) => void} */
  let reject = () => {};
  const promise = new Promise((/** @type {(value: T) => void} */ yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
