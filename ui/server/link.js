// SPDX-License-Identifier: Apache-2.0
/**
 * The application's end of a port (port.js): commands and events one by one,
 * records in batches.
 *
 * What is asked is gathered until nobody asks for more, and sent in one
 * message, as long as no more than two are on their way; so however much is written, there
 * are few messages, and they are large when there is much.
 */
import { ApplianceError } from './exit_codes.js';
import { Batch, IN_FLIGHT_MAX, TAKEN_MAX, forEachRecord } from './records.js';
import { Replies } from './replies.js';

/* Microtasks in a row in which nothing was asked: whoever was woken by what
   came has had its turn.  A pipe takes some ten from one chunk to the next. */
const QUIET = 24;

/* For microtasks that cost less than those of queueMicrotask(). */
const NOW = Promise.resolve();

/* A batch that is this long does not wait for more. */
const LARGE = 64 * 1024;

/**
 * @typedef {object} Endpoint a Worker of worker.js, or a MessagePort to port.js
 * @property {(message: any, transfer?: any[]) => void} postMessage
 * @property {(type: any, listener: (event: any) => void) => void} addEventListener
 * @property {() => void} [start]
 * @property {() => void} [terminate]
 * @property {() => void} [close]
 *
 * @typedef {object} LinkInit
 * @property {(event: import('./types.d.ts').ApplianceEvent) => void} onEvent
 * @property {(type: number, flags: number, handle: number, value: number, octets: Uint8Array<ArrayBuffer>) => void} onRecord
 * @property {(why: ApplianceError|undefined) => void} onEnd it has stopped; |why| if nobody asked it to
 */

export class Link {
  #endpoint;
  #init;
  #batch = new Batch();
  #inFlight = 0;
  #taken = 0;
  #gathering = false;
  #quiet = 0;
  #seen = 0;
  /** @type {Set<() => void>} */
  #beforeFlush = new Set();
  #replies = new Replies();
  #over = false;
  /** @type {ApplianceError|undefined} */
  #failure;

  /**
   * @param {Endpoint} endpoint
   * @param {LinkInit} init
   */
  constructor(endpoint, init) {
    this.#endpoint = endpoint;
    this.#init = init;
    endpoint.addEventListener('message', ({ data }) => this.#receive(data));
    endpoint.addEventListener('error', (/** @type {any} */ event) => {
      event.preventDefault?.();
      this.#failure ??= new ApplianceError('internal', event.message || 'the worker could not be loaded');
      this.end();
    });
    endpoint.start?.();
  }

  /**
   * @param {import('./types.d.ts').ApplianceOptions} options
   * @param {string} [module]
   */
  start(options, module) {
    this.#endpoint.postMessage({ type: 'start', options, module });
  }

  /**
   * @param {import('./types.d.ts').Command} command
   * @returns {Promise<any>} the reply
   */
  command(command) {
    if (this.#over) return Promise.reject(this.#failure ?? new Error('the server has stopped'));
    return this.#replies.ask((id) => this.#endpoint.postMessage({ type: 'command', id, command }));
  }

  stop() {
    if (!this.#over) this.#endpoint.postMessage({ type: 'stop' });
  }

  /** Nothing comes of it any more. */
  end() {
    if (this.#over) return;
    this.#over = true;
    this.#endpoint.terminate?.();
    this.#endpoint.close?.();
    const why = this.#failure ?? new Error('the server has stopped');
    this.#replies.end(why);
    this.#init.onEnd(this.#failure);
  }

  /**
   * A record for the appliance; records.js tells of the arguments.
   * @param {number} type
   * @param {number} flags
   * @param {number} handle
   * @param {number} [value]
   * @param {Uint8Array} [octets] copied
   */
  ask(type, flags, handle, value, octets) {
    if (this.#over) return;
    this.#batch.add(type, flags, handle, value, octets);
    if (this.#batch.length >= LARGE && this.#inFlight < IN_FLIGHT_MAX) this.#flush();
    else this.#flushSoon();
  }

  /** @param {() => void} task called once, before the next batch is sent */
  beforeFlush(task) {
    this.#beforeFlush.add(task);
    this.#flushSoon();
  }

  #flushSoon() {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#quiet = 0;
    this.#seen = -1;
    NOW.then(this.#gather);
  }

  #gather = () => {
    if (this.#batch.length !== this.#seen) {
      this.#seen = this.#batch.length;
      this.#quiet = 0;
    }
    if (++this.#quiet < QUIET) {
      NOW.then(this.#gather);
      return;
    }
    this.#gathering = false;
    this.#flush();
  };

  #flush() {
    if (this.#over) return;
    if (this.#inFlight < IN_FLIGHT_MAX) {
      const tasks = [...this.#beforeFlush];
      this.#beforeFlush.clear();
      for (const task of tasks) task();
    }
    const data = this.#inFlight < IN_FLIGHT_MAX && this.#batch.length > 0 ? this.#batch.take() : undefined;
    if (!data && this.#taken < TAKEN_MAX) return;
    if (data) this.#inFlight++;
    const taken = this.#taken;
    this.#taken = 0;
    this.#endpoint.postMessage({ type: 'batch', data, taken }, data ? [data.buffer] : []);
  }

  /** @param {import('./types.d.ts').FromWorker} message */
  #receive(message) {
    if (this.#over) return;
    switch (message.type) {
      case 'batch':
        this.#inFlight -= message.taken;
        if (message.data) {
          this.#taken++;
          forEachRecord(/** @type {ArrayBuffer} */ (message.data), this.#init.onRecord);
        }
        this.#flushSoon();
        break;
      case 'events':
        for (const event of message.events) {
          if (event.type === 'error') this.#failure = new ApplianceError(event.code, event.text);
          this.#init.onEvent(event);
        }
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
}
