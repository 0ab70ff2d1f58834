// SPDX-License-Identifier: Apache-2.0
/**
 * WebTransportServer: a WebTransport server for an Isolated Web App's own code.
 * README.md tells how it is used.
 */
import { ApplianceError } from './exit_codes.js';
import { Link } from './link.js';
import { FIN, TOLD } from './records.js';
import { Queue, SessionCore, WebTransportSession } from './session.js';

/**
 * @typedef {import('./types.d.ts').ApplianceOptions} ApplianceOptions
 * @typedef {import('./types.d.ts').ApplianceEvent} ApplianceEvent
 * @typedef {import('./types.d.ts').Published} Published
 * @typedef {import('./session_stream.js').SessionStream} SessionStream
 * @typedef {import('./session.js').CloseInfo} CloseInfo
 *
 * @typedef {object} OwnOptions
 * @property {import('./link.js').Endpoint} [endpoint] an appliance's port, if
 *     it is not a worker of its own (port.js)
 * @property {string} [module] where the worker finds fortnight.mjs; default
 *     /fortnight.mjs
 * @property {number} [maxConnections]
 * @property {number} [maxSessions] of one connection
 * @property {number} [maxHandshakes] that are open at once
 *
 * @typedef {ApplianceOptions & OwnOptions} ListenOptions
 */

const ALL_PATHS = '/*';

/** The members of options that are not the appliance's by name. */
const NAMES = /** @type {const} */ ({
  maxConnections: 'max_connections', maxSessions: 'max_sessions', maxHandshakes: 'max_handshakes',
});

/** @type {{createScriptURL(url: string): any}|undefined} */
let policy;

/** @returns {Worker} */
function newWorker() {
  const url = new URL('./worker.js', import.meta.url).href;
  const { trustedTypes } = /** @type {any} */ (globalThis);
  policy ??= trustedTypes?.createPolicy('webtransport-server', {
    createScriptURL: (/** @type {string} */ wanted) => {
      if (wanted !== url) throw new TypeError(`not a worker of ours: ${wanted}`);
      return wanted;
    },
  });
  return new Worker(policy?.createScriptURL(url) ?? url, { type: 'module', name: 'webtransport-server' });
}

/**
 * @param {ListenOptions} options
 * @returns {ApplianceOptions}
 */
function applianceOptions({ endpoint: _, module: __, ...options }) {
  const { paths = [ALL_PATHS] } = options;
  /** @type {Record<string, unknown>} */
  const all = { path: paths.find((path) => !path.endsWith('*')) ?? '/', ...options, paths };
  for (const [name, theirs] of Object.entries(NAMES)) {
    if (name in all) all[theirs] = all[name];
    delete all[name];
  }
  return all;
}

/**
 * The certificates of a server.  Events: 'change' when the hashes and the link
 * are others, 'statechange', and 'document' when there is a new signed set.
 */
class Certificates extends EventTarget {
  #link;
  /** @type {Published|undefined} */
  #published;
  #document = '';

  /** @param {Link} link */
  constructor(link) {
    super();
    this.#link = link;
  }

  /** @returns {import('./types.d.ts').ManagerState} */
  get state() { return this.#published?.state ?? 'BOOTSTRAP'; }
  /** What a page opens: address, hashes and identity in one. */
  get link() { return this.#published?.link ?? null; }
  get url() { return this.#published?.url ?? null; }
  /** The thumbprint of the key that signs the set. */
  get identity() { return this.#published?.identity ?? ''; }
  /** The signed set of hashes, a JWS; '' if there is none. */
  get document() { return this.#document; }

  /** The live hashes, the active one first; each fits into serverCertificateHashes. */
  get hashes() {
    return (this.#published?.hashes ?? []).map((hash) => ({
      ...hash, algorithm: 'sha-256', value: Uint8Array.from(hash.hex.match(/../g) ?? [], (octet) => parseInt(octet, 16)),
    }));
  }

  /**
   * @param {'link'|'url'|'hex'|'openssl'|'base64'|'base64url'|'certhash'|'multiaddr'|'snippet'|'text'|'json'|'jws'} form
   * @returns {Promise<string>} what is published, in that form
   */
  async text(form) {
    return (await this.#link.command({ command: 'hashes', form })).text;
  }

  /**
   * Has the standby take over now; refused until it is ready, unless it is
   * forced.
   * @param {{force?: boolean}} [options]
   */
  async rotate({ force = false } = {}) {
    await this.#link.command({ command: 'rotate', force });
  }

  /** The active certificate is not to be trusted any more: its connections are
      closed, the standby takes over. */
  async revoke() {
    await this.#link.command({ command: 'revoke' });
  }

  /** @param {ApplianceEvent} event */
  take(event) {
    switch (event.type) {
      case 'ready':
      case 'certificates':
        this.#publish(event);
        break;
      case 'state':
        if (this.#published) this.#published = { ...this.#published, state: event.state };
        this.dispatchEvent(new Event('statechange'));
        break;
      case 'document':
        this.#document = event.jws;
        this.dispatchEvent(new Event('document'));
        break;
    }
  }

  /** @param {Published} published */
  #publish({ state, identity, epoch, seq, url, link, hashes }) {
    this.#published = { state, identity, epoch, seq, url, link, hashes };
    this.dispatchEvent(new Event('change'));
  }
}

/**
 * Events: 'log' and 'refused' (a client that would not connect), with what was
 * told in |detail|.
 */
export class WebTransportServer extends EventTarget {
  #link;
  /** @type {Map<number, SessionCore>} by handle */
  #sessions = new Map();
  /** @type {Map<number, SessionStream>} by handle */
  #streams = new Map();
  /* Those that nobody has read. */
  #queue = new Queue((/** @type {SessionCore} */ core) => new WebTransportSession(core));
  #closing = false;
  /** @type {(event: import('./types.d.ts').ReadyEvent) => void} */
  #isReady = () => {};
  /** @type {(error: Error) => void} */
  #neverReady = () => {};
  /** @type {() => void} */
  #hasClosed = () => {};
  /** @type {(error: Error) => void} */
  #hasFailed = () => {};

  /**
   * Starts a server; resolved once clients can connect, rejected with an
   * ApplianceError that tells in |code| why they never will.
   * @param {ListenOptions} [options]
   */
  static async listen(options = {}) {
    const server = new WebTransportServer(options.endpoint ?? /** @type {any} */ (newWorker()));
    return server.#start(options);
  }

  /**
   * For listen() alone.
   * @param {import('./link.js').Endpoint} endpoint
   */
  constructor(endpoint) {
    super();
    this.#link = new Link(endpoint, {
      onEvent: (event) => this.#onEvent(event),
      onRecord: (type, flags, handle, value, octets) => this.#onRecord(type, flags, handle, value, octets),
      onEnd: (why) => this.#onEnd(why),
    });
    /** The address and port that are listened at. */
    this.address = '';
    this.port = 0;
    this.certificates = new Certificates(this.#link);
    /** Clients that ask for a session, each waiting for accept() or reject(). */
    this.sessions = this.#queue.readable;
    /** Resolved when it has stopped; rejected if nobody asked it to.
     * @type {Promise<void>} */
    this.closed = new Promise((resolve, reject) => {
      this.#hasClosed = resolve;
      this.#hasFailed = reject;
    });
    this.closed.catch(() => {});
  }

  /** @param {ListenOptions} options */
  async #start(options) {
    /** @type {Promise<import('./types.d.ts').ReadyEvent>} */
    const ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#neverReady = reject;
    });
    this.#link.start(applianceOptions(options), options.module);
    const { address, port } = await ready;
    this.address = address;
    this.port = port;
    return this;
  }

  /** @returns {Promise<import('./types.d.ts').Status>} how it is at the moment */
  get stats() {
    return this.#link.command({ command: 'status' });
  }

  /**
   * Stops: sessions are asked to end, and are closed, with |info| or when the
   * time of `drain` is over; resolved when it has stopped.
   * @param {Partial<CloseInfo>} [info]
   * @returns {Promise<void>}
   */
  async close(info) {
    if (!this.#closing) {
      this.#closing = true;
      this.#queue.end();
      const ends = [];
      for (const session of this.#sessions.values()) {
        session.draining.resolve();
        if (!info && session.state === 'open') continue;
        session.close(info ?? {});
        ends.push(session.closed.promise);
      }
      // Once they are told to be over, the packets that say so have left.
      Promise.allSettled(ends).then(() => this.#link.stop());
    }
    await this.closed;
  }

  /** @param {ApplianceEvent} event */
  #onEvent(event) {
    this.certificates.take(event);
    if (event.type === 'ready') this.#isReady(event);
    if (event.type === 'log' || event.type === 'refused') {
      this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
    }
  }

  /** @param {ApplianceError|undefined} why */
  #onEnd(why) {
    const failure = why ?? (this.#closing ? undefined : new ApplianceError('internal', 'the server has stopped'));
    this.#neverReady(failure ?? new Error('the server was closed'));
    for (const session of this.#sessions.values()) session.onClosed(1, 0, 'the server has stopped');
    this.#sessions.clear();
    this.#streams.clear();
    this.#queue.end(failure);
    if (failure) this.#hasFailed(failure);
    else this.#hasClosed();
  }

  /**
   * @param {number} type
   * @param {number} flags
   * @param {number} handle
   * @param {number} value
   * @param {Uint8Array<ArrayBuffer>} octets
   */
  #onRecord(type, flags, handle, value, octets) {
    switch (type) {
      case TOLD.DATA:
        this.#streams.get(handle)?.onData(octets, (flags & FIN) !== 0);
        break;
      case TOLD.DATAGRAM_CAME:
        this.#sessions.get(handle)?.datagrams.came(octets);
        break;
      case TOLD.SENT:
        this.#streams.get(handle)?.onSent(value);
        break;
      case TOLD.DATAGRAMS_SENT:
        this.#sessions.get(handle)?.datagrams.sent(value);
        break;
      case TOLD.STREAM:
        this.#sessions.get(value)?.onStream(handle, flags);
        break;
      case TOLD.STREAM_CLOSED:
        this.#streams.get(handle)?.onClosed();
        break;
      case TOLD.WAS_RESET:
        this.#streams.get(handle)?.onReset(value);
        break;
      case TOLD.WAS_STOPPED:
        this.#streams.get(handle)?.onStopped(value);
        break;
      case TOLD.REQUEST:
        this.#onRequest(handle, value, octets);
        break;
      case TOLD.OPENED:
        this.#sessions.get(handle)?.onOpened(new TextDecoder().decode(octets), value);
        break;
      case TOLD.CLOSED:
        this.#onClosed(handle, flags, value, octets);
        break;
      case TOLD.DRAINING:
        this.#sessions.get(handle)?.draining.resolve();
        break;
    }
  }

  /**
   * @param {number} handle
   * @param {number} number
   * @param {Uint8Array} octets
   */
  #onRequest(handle, number, octets) {
    const core = new SessionCore(this.#link, handle, number, octets, {
      stream: (handle, stream) => {
        if (stream) this.#streams.set(handle, stream);
        else this.#streams.delete(handle);
      },
    });
    this.#sessions.set(handle, core);
    if (this.#closing) {
      core.reject(503);
      return;
    }
    this.#queue.push(core);
  }

  /**
   * @param {number} handle
   * @param {number} by
   * @param {number} code
   * @param {Uint8Array} reason
   */
  #onClosed(handle, by, code, reason) {
    const core = this.#sessions.get(handle);
    if (!core) return;
    this.#sessions.delete(handle);
    core.onClosed(by, code, reason);
    // It may have come and gone before anybody looked.
    this.#queue.remove(core);
  }
}
