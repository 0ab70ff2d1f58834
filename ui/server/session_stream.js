// SPDX-License-Identifier: Apache-2.0
/**
 * One stream of a session, as ReadableStream and WritableStream.
 *
 * Backpressure, in: octets wait here until they are read, and only what was
 * read is credited to the peer's flow control, so that the peer's window bounds
 * what waits.  Out: a write is done once its octets are within what may be on
 * the way from here to the network, of the stream and of the session.
 */
import { codeOf, sessionError, streamError } from './errors.js';
import { ASKED, FIN } from './records.js';

/* Octets on the way from here to the network; what the network keeps until it
   is acknowledged comes on top, within the peer's windows. */
const STREAM_WINDOW = 256 * 1024;
export const SESSION_WINDOW = 768 * 1024;

/* What is given to a reader at once: a record of a batch may be larger. */
const PIECE = 64 * 1024;

/** @typedef {import('./session.js').SessionCore} SessionCore */

/**
 * @param {any} chunk
 * @returns {Uint8Array}
 */
export function octetsOf(chunk) {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new TypeError('only ArrayBuffers and views of them can be written');
}

export class SessionStream {
  #session;
  #handle;
  /** Our side of the appliance's handle: it is gone once both are. */
  #closed = false;
  #taken;

  /** @type {Uint8Array<ArrayBuffer>[]} what came and is not read */
  #chunks = [];
  #fin = false;
  /** @type {'none'|'open'|'done'} */
  #reading = 'none';
  /** @type {ReadableByteStreamController|undefined} */
  #readController;
  /** @type {(() => void)|undefined} */
  #pulled;
  #unconsumed = 0;

  /** @type {'none'|'open'|'done'} */
  #writing = 'none';
  /** @type {WritableStreamDefaultController|undefined} */
  #writeController;
  #outstanding = 0;
  /** @type {{resolve: () => void, reject: (error: any) => void}|undefined} */
  #writer;

  /**
   * @param {SessionCore} session
   * @param {number} handle
   * @param {{readable: boolean, writable: boolean, local: boolean}} kind
   */
  constructor(session, handle, { readable, writable, local }) {
    this.#session = session;
    this.#handle = handle;
    this.#taken = local;
    /** @type {ReadableStream<Uint8Array<ArrayBuffer>>|undefined} */
    this.readable = readable ? this.#makeReadable() : undefined;
    /** @type {WritableStream<BufferSource>|undefined} */
    this.writable = writable ? this.#makeWritable() : undefined;
  }

  /** The application has it: it need not wait for that any more. */
  take() {
    this.#taken = true;
    this.#releaseIfDone();
    return this;
  }

  // ---- In ----

  #makeReadable() {
    this.#reading = 'open';
    return new ReadableStream({
      type: 'bytes',
      start: (controller) => { this.#readController = controller; },
      pull: () => this.#pull(),
      cancel: (reason) => this.#stop(codeOf(reason)),
    }, { highWaterMark: 0 });
  }

  #pull() {
    if (this.#give()) return undefined;
    return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
      this.#pulled = () => resolve();
    });
  }

  /** @returns {boolean} whether the reader got something */
  #give() {
    const controller = /** @type {ReadableByteStreamController} */ (this.#readController);
    const first = this.#chunks[0];
    if (first) {
      const piece = first.length <= PIECE ? first : first.slice(0, PIECE);
      if (piece === first) this.#chunks.shift();
      else this.#chunks[0] = first.subarray(PIECE);
      // Its length is 0 from here on.
      this.#consumed(piece.length);
      controller.enqueue(piece);
    }
    if (this.#fin && this.#chunks.length === 0) {
      this.#reading = 'done';
      controller.close();
      controller.byobRequest?.respond(0);
      this.#releaseIfDone();
      return true;
    }
    return first !== undefined;
  }

  /** @param {number} n */
  #consumed(n) {
    if (this.#unconsumed === 0) this.#session.link.beforeFlush(this.#tellConsumed);
    this.#unconsumed += n;
  }

  #tellConsumed = () => {
    if (this.#unconsumed > 0 && !this.#session.over) {
      this.#session.link.ask(ASKED.CONSUME, 0, this.#handle, this.#unconsumed);
    }
    this.#unconsumed = 0;
  };

  /**
   * @param {Uint8Array<ArrayBuffer>} octets a view of a batch
   * @param {boolean} fin
   */
  onData(octets, fin) {
    if (this.#reading !== 'open') return;
    // A copy: a view would keep all of the batch for as long as nobody reads.
    if (octets.length > 0) this.#chunks.push(octets.slice());
    this.#fin = fin;
    this.#wakeReader();
  }

  #wakeReader() {
    const pulled = this.#pulled;
    // An end is told at once; octets, when they are wanted.
    if (!pulled && (this.#chunks.length > 0 || !this.#fin)) return;
    if (this.#give()) {
      this.#pulled = undefined;
      pulled?.();
    }
  }

  /** @param {number} code */
  onReset(code) {
    this.#failReading(streamError(`the peer reset the stream with code ${code}`, code));
  }

  /** @param {number} code */
  #stop(code) {
    if (this.#reading !== 'open') return;
    this.#reading = 'done';
    this.#chunks = [];
    if (!this.#fin && !this.#closed) this.#session.link.ask(ASKED.STOP, 0, this.#handle, code);
    this.#releaseIfDone();
  }

  /** @param {Error} error */
  #failReading(error) {
    if (this.#reading !== 'open') return;
    this.#reading = 'done';
    this.#chunks = [];
    this.#readController?.error(error);
    this.#pulled?.();
    this.#pulled = undefined;
  }

  // ---- Out ----

  #makeWritable() {
    this.#writing = 'open';
    return new WritableStream({
      start: (controller) => {
        this.#writeController = controller;
        // At once: abort() itself waits for the write that is under way.
        controller.signal.addEventListener('abort', () => this.#reset(controller.signal.reason));
      },
      write: (chunk) => {
        try {
          return this.#write(octetsOf(chunk));
        } catch (error) {
          // It is the end of the stream here, so the peer is told.
          this.#reset(error);
          throw error;
        }
      },
      close: () => this.#finish(),
      abort: (reason) => this.#reset(reason),
    });
  }

  /** @param {Uint8Array} octets */
  async #write(octets) {
    for (let at = 0; at < octets.length;) {
      const credit = Math.min(STREAM_WINDOW - this.#outstanding, SESSION_WINDOW - this.#session.outstanding);
      if (credit <= 0) {
        await this.#wait();
        if (this.#writing !== 'open') return;
        continue;
      }
      const piece = octets.subarray(at, at + Math.min(credit, PIECE));
      this.#session.link.ask(ASKED.WRITE, 0, this.#handle, 0, piece);
      this.#outstanding += piece.length;
      this.#session.outstanding += piece.length;
      at += piece.length;
    }
  }

  /** @returns {Promise<void>} until something has left */
  #wait() {
    return new Promise((resolve, reject) => {
      this.#writer = { resolve, reject };
      this.#session.waiting.add(this);
    });
  }

  /** There may be room again. */
  goOn() {
    const writer = this.#writer;
    this.#writer = undefined;
    this.#session.waiting.delete(this);
    writer?.resolve();
  }

  async #finish() {
    if (this.#writing !== 'open') return;
    this.#session.link.ask(ASKED.WRITE, FIN, this.#handle);
    while (this.#outstanding > 0) await this.#wait();
    this.#writing = 'done';
    this.#releaseIfDone();
  }

  /** @param {any} reason */
  #reset(reason) {
    if (this.#writing !== 'open') return;
    if (!this.#closed) this.#session.link.ask(ASKED.RESET, 0, this.#handle, codeOf(reason));
    this.#endWriting(reason);
    this.#releaseIfDone();
  }

  /** @param {any} error */
  #endWriting(error) {
    this.#writing = 'done';
    this.#settle(this.#outstanding);
    const writer = this.#writer;
    this.#writer = undefined;
    this.#session.waiting.delete(this);
    writer?.reject(error);
  }

  /** @param {number} n */
  #settle(n) {
    const left = Math.min(n, this.#outstanding);
    this.#outstanding -= left;
    this.#session.outstanding -= left;
  }

  /** @param {number} n octets that have left */
  onSent(n) {
    this.#settle(n);
    if (this.#writer) this.goOn();
    else this.#session.roomAgain();
  }

  /** @param {number} code */
  onStopped(code) {
    this.#failWriting(streamError(`the peer wants no more of the stream, with code ${code}`, code));
  }

  /** @param {Error} error */
  #failWriting(error) {
    if (this.#writing !== 'open') return;
    this.#writeController?.error(error);
    this.#endWriting(error);
  }

  // ---- The end ----

  /** Both directions are done for the appliance. */
  onClosed() {
    this.#closed = true;
    this.#releaseIfDone();
  }

  /**
   * The session is over.
   * @param {string} message
   */
  onSessionEnd(message) {
    this.#closed = true;
    // What came with its end may still be read.
    if (!this.#fin) this.#failReading(sessionError(message));
    this.#failWriting(sessionError(message));
  }

  /* Nobody here will speak of the handle again.  What is open is either to be
     read yet, or the session's end will follow. */
  #releaseIfDone() {
    if (!this.#closed || !this.#taken || this.#session.over) return;
    if (this.#reading === 'open' || this.#writing === 'open') return;
    this.#tellConsumed();
    this.#session.release(this.#handle);
  }
}
