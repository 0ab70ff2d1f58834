// SPDX-License-Identifier: Apache-2.0
/**
 * A WebTransport session, on the server's side, in the shape that it has on the
 * client's (W3C WebTransport).
 */
import { sessionError } from './errors.js';
import { ASKED, BIDI, BY_CONNECTION, LOCAL } from './records.js';
import { SESSION_WINDOW, SessionStream, octetsOf } from './session_stream.js';

/* Datagrams on the way from here to the network, of one session. */
const DATAGRAM_WINDOW = 64;

/* Of those that came: what waits for a reader here, besides what the stream
   itself holds.  The oldest are dropped. */
const DATAGRAMS_KEPT = 256;
const DATAGRAMS_IN_STREAM = 16;

const UTF8 = new TextDecoder();
const OCTETS = new TextDecoder('latin1');
const ENCODER = new TextEncoder();
const REASON_MAX = 1024;

/**
 * @typedef {import('./link.js').Link} Link
 * @typedef {{closeCode: number, reason: string}} CloseInfo
 */

/** @template T */
class Deferred {
  /** @type {(value: T) => void} */
  resolve = () => {};
  /** @type {(error: Error) => void} */
  reject = () => {};

  constructor() {
    /** @type {Promise<T>} */
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Whoever does not ask for it need not hear of it.
    this.promise.catch(() => {});
  }
}

/**
 * Objects for one reader, who gets them when it wants them.
 * @template T, U
 */
export class Queue {
  /** @type {T[]} */
  #waiting = [];
  /** @type {ReadableStreamDefaultController<U>|undefined} */
  #controller;
  /** @type {(() => void)|undefined} */
  #pulled;
  #over = false;
  #map;

  /** @param {(item: T) => U} give what the reader gets for it, now */
  constructor(give) {
    this.#map = give;
    /** @type {ReadableStream<U>} */
    this.readable = new ReadableStream({
      start: (controller) => { this.#controller = controller; },
      pull: () => {
        if (this.#give()) return undefined;
        return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
          this.#pulled = () => resolve();
        });
      },
      cancel: () => {
        this.#over = true;
        this.#waiting = [];
      },
    }, { highWaterMark: 0 });
  }

  /** @param {T} item */
  push(item) {
    if (this.#over) return;
    this.#waiting.push(item);
    if (this.#pulled && this.#give()) {
      this.#pulled();
      this.#pulled = undefined;
    }
  }

  /** @param {T} item */
  remove(item) {
    const at = this.#waiting.indexOf(item);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** @param {Error} [error] */
  end(error) {
    if (this.#over) return;
    this.#over = true;
    this.#waiting = [];
    if (error) this.#controller?.error(error);
    else this.#controller?.close();
    this.#pulled?.();
  }

  #give() {
    const item = this.#waiting.shift();
    if (item === undefined) return false;
    this.#controller?.enqueue(this.#map(item));
    return true;
  }
}

/** The datagrams of a session. */
class Datagrams {
  #core;
  /** @type {Uint8Array<ArrayBuffer>[]} */
  #came = [];
  /** @type {ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>|undefined} */
  #controller;
  /** @type {WritableStreamDefaultController|undefined} */
  #writeController;
  #outstanding = 0;
  /** @type {{resolve: () => void, reject: (error: Error) => void}|undefined} */
  #writer;
  #incomingHighWaterMark = DATAGRAMS_KEPT;

  /** The longest that can be sent now; longer ones are lost. */
  maxDatagramSize = 0;
  /** Those that came and were dropped here, for nobody read them. */
  dropped = 0;

  /** @param {SessionCore} core */
  constructor(core) {
    this.#core = core;
    /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */
    this.readable = new ReadableStream({
      start: (controller) => { this.#controller = controller; },
      pull: () => this.#give(),
      cancel: () => {
        this.#controller = undefined;
        this.#came = [];
      },
    }, { highWaterMark: DATAGRAMS_IN_STREAM });
    /** @type {WritableStream<BufferSource>} */
    this.writable = new WritableStream({
      start: (controller) => { this.#writeController = controller; },
      write: (chunk) => this.#write(octetsOf(chunk)),
    }, { highWaterMark: DATAGRAM_WINDOW });
  }

  /** How many that came are kept for a reader; the oldest are dropped. */
  get incomingHighWaterMark() {
    return this.#incomingHighWaterMark;
  }

  set incomingHighWaterMark(n) {
    this.#incomingHighWaterMark = Math.max(1, Math.min(Number(n) || 1, 65536));
  }

  #give() {
    const controller = this.#controller;
    while (controller && this.#came.length > 0 && /** @type {number} */ (controller.desiredSize) > 0) {
      controller.enqueue(/** @type {Uint8Array<ArrayBuffer>} */ (this.#came.shift()));
    }
  }

  /** @param {Uint8Array<ArrayBuffer>} octets a view of a batch */
  came(octets) {
    const controller = this.#controller;
    if (!controller) return;
    const copy = new Uint8Array(octets);
    if (this.#came.length === 0 && /** @type {number} */ (controller.desiredSize) > 0) {
      controller.enqueue(copy);
      return;
    }
    this.#came.push(copy);
    while (this.#came.length > this.#incomingHighWaterMark) {
      this.#came.shift();
      this.dropped++;
    }
  }

  /** @param {Uint8Array} octets */
  #write(octets) {
    if (this.#outstanding >= DATAGRAM_WINDOW) {
      return new Promise((/** @type {(value?: undefined) => void} */ resolve, reject) => {
        this.#writer = { resolve: () => resolve(), reject };
      }).then(() => this.#send(octets));
    }
    this.#send(octets);
    return undefined;
  }

  /** @param {Uint8Array} octets */
  #send(octets) {
    if (this.#core.state !== 'open') return;
    this.#outstanding++;
    this.#core.link.ask(ASKED.DATAGRAM, 0, this.#core.handle, 0, octets);
  }

  /** @param {number} n */
  sent(n) {
    this.#outstanding -= n;
    const writer = this.#writer;
    this.#writer = undefined;
    writer?.resolve();
  }

  /** @param {Error|undefined} error */
  end(error) {
    const controller = this.#controller;
    this.#controller = undefined;
    this.#came = [];
    if (error) controller?.error(error);
    else controller?.close();
    const over = error ?? sessionError('the session is closed');
    this.#writeController?.error(over);
    this.#writer?.reject(over);
  }
}

/** What the server knows of a session; WebTransportSession is what it shows. */
export class SessionCore {
  /** @type {'pending'|'open'|'over'} */
  state = 'pending';
  /** Octets of all streams on their way to the network. */
  outstanding = 0;
  /** @type {Set<SessionStream>} that wait for that to become less */
  waiting = new Set();
  /** @type {Deferred<void>} */
  ready = new Deferred();
  /** @type {Deferred<CloseInfo>} */
  closed = new Deferred();
  /** @type {Deferred<void>} */
  draining = new Deferred();
  protocol = '';
  #answered = false;
  /** @type {Partial<CloseInfo>|undefined} what to close it with once it is open */
  #close;
  /** @type {Map<number, SessionStream>} by handle */
  #streams = new Map();
  /** @type {Record<'bidi'|'uni', Deferred<SessionStream>[]>} */
  #opening = { bidi: [], uni: [] };
  #forget;

  /**
   * @param {Link} link
   * @param {number} handle
   * @param {number} number
   * @param {Uint8Array} octets of TOLD.REQUEST
   * @param {{stream: (handle: number, stream: SessionStream|undefined) => void}} registry
   */
  constructor(link, handle, number, octets, registry) {
    const texts = OCTETS.decode(octets).split('\0');
    this.link = link;
    this.handle = handle;
    this.number = number;
    this.path = texts[0];
    this.authority = texts[1];
    this.origin = texts[2];
    this.peer = texts[3];
    this.protocols = stringsOf(texts[4]);
    this.headers = new Headers();
    for (let i = 5; i + 1 < texts.length; i += 2) {
      try {
        this.headers.append(texts[i], texts[i + 1]);
      } catch {
        // Not one that Headers can have.
      }
    }
    this.#forget = registry.stream;
    this.datagrams = new Datagrams(this);
    this.bidi = new Queue((/** @type {SessionStream} */ stream) => pairOf(stream.take()));
    this.uni = new Queue((/** @type {SessionStream} */ stream) =>
      /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (stream.take().readable));
  }

  get over() {
    return this.state === 'over';
  }

  /** @param {string} protocol */
  accept(protocol) {
    if (this.state === 'pending' && !this.#answered) {
      if (protocol && !this.protocols.includes(protocol)) {
        throw new TypeError(`the client does not offer the protocol ${JSON.stringify(protocol)}`);
      }
      this.#answered = true;
      this.link.ask(ASKED.ACCEPT, 0, this.handle, 0, ENCODER.encode(protocol));
    }
    return this.ready.promise;
  }

  /** @param {number} status */
  reject(status) {
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError('the status is a number from 400 to 599');
    }
    if (this.state !== 'pending' || this.#answered) return;
    this.#answered = true;
    this.link.ask(ASKED.REJECT, 0, this.handle, status);
  }

  /** @param {Partial<CloseInfo>} info */
  close({ closeCode = 0, reason = '' }) {
    if (this.state === 'pending' && this.#answered) {
      // It is about to be open, if it was accepted.
      this.#close = { closeCode, reason };
      return;
    }
    if (this.state === 'pending') this.reject(503);
    if (this.state !== 'open') return;
    let octets = ENCODER.encode(reason.replaceAll('\0', ' '));
    if (octets.length > REASON_MAX) {
      let end = REASON_MAX;
      while ((octets[end] & 0xc0) === 0x80) end--;
      octets = octets.subarray(0, end);
    }
    this.link.ask(ASKED.CLOSE, 0, this.handle, closeCode >>> 0, octets);
  }

  drain() {
    if (this.state === 'open') this.link.ask(ASKED.DRAIN, 0, this.handle);
  }

  /** @param {'bidi'|'uni'} kind */
  async open(kind) {
    await this.ready.promise;
    if (this.state === 'over') throw sessionError('the session is closed');
    /** @type {Deferred<SessionStream>} */
    const opened = new Deferred();
    this.#opening[kind].push(opened);
    this.link.ask(ASKED.OPEN, kind === 'bidi' ? BIDI : 0, this.handle);
    return opened.promise;
  }

  /**
   * @param {number} handle of a stream
   */
  release(handle) {
    if (!this.#streams.delete(handle)) return;
    this.#forget(handle, undefined);
    this.link.ask(ASKED.RELEASE, 0, handle);
  }

  /** Octets have left: those that wait for the session may go on. */
  roomAgain() {
    if (this.outstanding >= SESSION_WINDOW) return;
    for (const stream of [...this.waiting]) stream.goOn();
  }

  // ---- What is told ----

  /**
   * @param {string} protocol
   * @param {number} maxDatagramSize
   */
  onOpened(protocol, maxDatagramSize) {
    this.state = 'open';
    this.protocol = protocol;
    this.datagrams.maxDatagramSize = maxDatagramSize;
    this.ready.resolve();
    if (this.#close) this.close(this.#close);
  }

  /**
   * @param {number} by
   * @param {number} closeCode
   * @param {Uint8Array|string} reason
   */
  onClosed(by, closeCode, reason) {
    if (this.state === 'over') return;
    const lost = by === BY_CONNECTION ? sessionError('the connection was lost') : undefined;
    const never = this.state === 'pending';
    this.state = 'over';
    for (const stream of this.#streams.values()) {
      stream.onSessionEnd(lost?.message ?? 'the session is closed');
    }
    for (const handle of this.#streams.keys()) this.#forget(handle, undefined);
    this.#streams.clear();
    this.link.ask(ASKED.RELEASE, 0, this.handle);
    const over = lost ?? sessionError('the session is closed');
    for (const opened of [...this.#opening.bidi, ...this.#opening.uni]) opened.reject(over);
    this.datagrams.end(lost);
    this.bidi.end(lost);
    this.uni.end(lost);
    if (never) this.ready.reject(sessionError('the session was not accepted'));
    if (lost) this.closed.reject(lost);
    else this.closed.resolve({ closeCode, reason: typeof reason === 'string' ? reason : UTF8.decode(reason) });
  }

  /**
   * @param {number} handle
   * @param {number} flags
   */
  onStream(handle, flags) {
    const bidi = (flags & BIDI) !== 0;
    const local = (flags & LOCAL) !== 0;
    const stream = new SessionStream(this, handle, { readable: bidi || !local, writable: bidi || local, local });
    this.#streams.set(handle, stream);
    this.#forget(handle, stream);
    if (local) this.#opening[bidi ? 'bidi' : 'uni'].shift()?.resolve(stream);
    else (bidi ? this.bidi : this.uni).push(stream);
  }
}

/**
 * @param {string|undefined} list a List of Strings (RFC 9651)
 * @returns {string[]} none if it is no such thing
 */
function stringsOf(list) {
  const strings = [];
  const string = /\s*"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"(?:\s*;[^,"]*)*\s*(,|$)/y;
  for (let more = Boolean(list); more;) {
    const match = string.exec(/** @type {string} */ (list));
    if (!match) return [];
    strings.push(match[1].replace(/\\(.)/g, '$1'));
    more = match[2] === ',';
  }
  return strings;
}

/** A session, as the application has it. */
export class WebTransportSession {
  #core;

  /** @param {SessionCore} core */
  constructor(core) {
    this.#core = core;
  }

  /** The request's, with its query. */
  get path() { return this.#core.path; }
  get authority() { return this.#core.authority; }
  /** '' if there is none: browsers always send one. */
  get origin() { return this.#core.origin; }
  /** The client's address and port when it came. */
  get peer() { return this.#core.peer; }
  get headers() { return this.#core.headers; }
  /** What the client offers, as it likes them best. */
  get protocols() { return [...this.#core.protocols]; }
  /** The one that was accepted, or ''. */
  get protocol() { return this.#core.protocol; }
  /** The number of this session in the events and in `stats`. */
  get id() { return this.#core.number; }

  /** Resolved once it is accepted, rejected if it never is. */
  get ready() { return this.#core.ready.promise; }
  /** Resolved when either side has closed it, rejected if the connection is lost. */
  get closed() { return this.#core.closed.promise; }
  /** Resolved when it should be ended soon: the client or the server wants to. */
  get draining() { return this.#core.draining.promise; }
  get datagrams() { return this.#core.datagrams; }
  get incomingBidirectionalStreams() { return this.#core.bidi.readable; }
  get incomingUnidirectionalStreams() { return this.#core.uni.readable; }

  /**
   * @param {{protocol?: string}} [options] |protocol|: one of |protocols|
   * @returns {Promise<void>} |ready|
   */
  accept({ protocol = '' } = {}) {
    return this.#core.accept(protocol);
  }

  /** @param {number} [status] of HTTP, 400 to 599 */
  reject(status = 403) {
    this.#core.reject(status);
  }

  /** Waits, if need be, until the client allows another stream. */
  async createBidirectionalStream() {
    return pairOf(await this.#core.open('bidi'));
  }

  /** Waits, if need be, until the client allows another stream. */
  async createUnidirectionalStream() {
    const stream = await this.#core.open('uni');
    return /** @type {WritableStream<BufferSource>} */ (stream.writable);
  }

  /** Asks the client to end it soon. */
  drain() {
    this.#core.drain();
  }

  /** @param {Partial<CloseInfo>} [info] */
  close(info = {}) {
    this.#core.close(info);
  }
}

/** @param {SessionStream} stream */
function pairOf({ readable, writable }) {
  return {
    readable: /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (readable),
    writable: /** @type {WritableStream<BufferSource>} */ (writable),
  };
}
