// SPDX-License-Identifier: Apache-2.0
//
// UDPSocket of the Direct Sockets specification, for Node.js on node:dgram.
//
// What it is for: the same WebAssembly that runs in an Isolated Web App runs
// on Node, and is tested there, without a browser.  So this class follows
// Chromium, to the wording of its errors, also where Chromium is awkward:
//
// - localPort 0 throws; ports below 1024 are refused; a busy port is a
//   NetworkError, an address that is not ours a DataError.
// - The readable holds 32 datagrams.  What comes while it is full waits in a
//   backlog as large as a kernel's socket buffer, and is lost after that.
//   (node:dgram cannot be told to stop reading.)
// - The writable takes one datagram at a time (high-water mark 1).  A send
//   that fails errors the writable for good, with "net::ERR_..." in the text.
// - A message that is malformed (no data, empty data, half an address) errors
//   the writable without the socket hearing of it: `closed` then never
//   settles, close() never resolves, and the port stays taken.
// - `closed` settles when both streams are at their end.
// - An IPv4 peer of a dual-stack socket is written "::ffff:7f00:1", and a
//   link-local peer has no scope.
//
// - Multicast groups are refused: Chromium keeps them behind a policy of
//   their own.
//
// The conformance table (udp_socket_table.mjs) runs against this class and
// against Chromium, and has to give the same answers.

import { createSocket } from 'node:dgram';
import { lookup as dnsLookup } from 'node:dns';
import { isIP, isIPv4 } from 'node:net';

/**
 * @typedef {object} UDPSocketOptions
 * @property {string} [remoteAddress]
 * @property {number} [remotePort]
 * @property {string} [localAddress]
 * @property {number} [localPort]
 * @property {number} [sendBufferSize]
 * @property {number} [receiveBufferSize]
 * @property {'ipv4' | 'ipv6'} [dnsQueryType]
 * @property {boolean} [ipv6Only]
 */

/**
 * @typedef {object} UDPMessage
 * @property {ArrayBuffer | ArrayBufferView} [data]
 * @property {string} [remoteAddress]
 * @property {number} [remotePort]
 * @property {'ipv4' | 'ipv6'} [dnsQueryType]
 */

/**
 * @typedef {object} UDPSocketOpenInfo
 * @property {ReadableStream<UDPMessage>} readable
 * @property {WritableStream<UDPMessage>} writable
 * @property {string} localAddress
 * @property {number} localPort
 * @property {string} [remoteAddress]
 * @property {number} [remotePort]
 */

/** Datagrams that the readable holds. */
const READABLE_CREDIT = 32;

/** Octets that wait behind the readable: what a kernel's buffer would hold. */
const BACKLOG_OCTETS = 212992;

/** The kernel's count for a small datagram is mostly its own bookkeeping. */
const BACKLOG_OVERHEAD = 512;

const CONSTRUCT = "Failed to construct 'UDPSocket': ";
const WRITE = "Failed to execute 'write' on 'WritableStreamDefaultWriter': ";
const CLOSE = "Failed to execute 'close' on 'UDPSocket': ";

/** What the system says, as Chromium's network stack names it. */
const NET_ERRORS = /** @type {Record<string, string>} */ ({
  EACCES: 'ERR_ACCESS_DENIED',
  EADDRINUSE: 'ERR_ADDRESS_IN_USE',
  EADDRNOTAVAIL: 'ERR_ADDRESS_INVALID',
  EAI_AGAIN: 'ERR_NAME_NOT_RESOLVED',
  ECONNREFUSED: 'ERR_CONNECTION_REFUSED',
  EDESTADDRREQ: 'ERR_INVALID_ARGUMENT',
  EHOSTUNREACH: 'ERR_ADDRESS_UNREACHABLE',
  EINVAL: 'ERR_INVALID_ARGUMENT',
  EMFILE: 'ERR_INSUFFICIENT_RESOURCES',
  EMSGSIZE: 'ERR_MSG_TOO_BIG',
  ENETUNREACH: 'ERR_ADDRESS_UNREACHABLE',
  ENOBUFS: 'ERR_NO_BUFFER_SPACE',
  ENOTFOUND: 'ERR_NAME_NOT_RESOLVED',
  EPERM: 'ERR_ACCESS_DENIED',
});

/** A connected peer that is not there (ICMP) is no error to Chromium. */
const IGNORED = 'ERR_CONNECTION_REFUSED';

/** Why a socket did not open, as Chromium tells it. */
const OPEN_ERRORS = /** @type {Record<string, [string, string]>} */ ({
  ERR_ACCESS_DENIED: ['InvalidAccessError',
    'Access to the requested host or port is blocked.'],
  ERR_ADDRESS_INVALID: ['DataError', 'The address is not valid.'],
  ERR_NAME_NOT_RESOLVED: ['NetworkError', "Hostname couldn't be resolved."],
});

/** @param {unknown} error */
const netError = (error) =>
  NET_ERRORS[/** @type {NodeJS.ErrnoException} */ (error)?.code ?? ''] ??
  'ERR_FAILED';

/** @param {unknown} error */
function openError(error) {
  const [name, text] =
    OPEN_ERRORS[netError(error)] ?? ['NetworkError', 'Network Error.'];
  return new DOMException(text, name);
}

/** @param {string} name */
const streamError = (name) =>
  new DOMException(`Stream aborted by the remote: net::${name}`,
    'NetworkError');

/**
 * An IP literal as Chromium reads it: without brackets or scope; an IPv4 one
 * may be short ("127.1").  Undefined if it is none.
 * @param {string} text
 * @returns {string | undefined}
 */
function parseLiteral(text) {
  if (isIP(text) !== 0) {
    return text.includes('%') ? undefined : canonical(text);
  }
  if (!/^[0-9a-fx]+(\.[0-9a-fx]+){0,3}$/i.test(text)) {
    return undefined;
  }
  const parts = text.split('.');
  const numbers = parts.map((part) =>
    /^0x[0-9a-f]*$/i.test(part) ? parseInt(part.slice(2) || '0', 16) :
      /^0[0-7]*$/.test(part) ? parseInt(part, 8) :
        /^[0-9]+$/.test(part) ? parseInt(part, 10) : NaN);
  const last = numbers.pop() ?? NaN;
  const room = 256 ** (4 - numbers.length);
  if (!numbers.every((n) => n < 256) || !(last < room)) {
    return undefined;
  }
  const value =
    numbers.reduce((sum, n, i) => sum + n * 256 ** (3 - i), 0) + last;
  return [24, 16, 8, 0].map((shift) =>
    Math.floor(value / 2 ** shift) % 256).join('.');
}

/**
 * The text that Chromium gives for an address that node gave.
 * @param {string} address
 */
function canonical(address) {
  if (isIPv4(address)) {
    return address;
  }
  const scope = address.indexOf('%');
  const text = scope < 0 ? address : address.slice(0, scope);
  // The host parser of a URL writes an IPv6 address after RFC 5952, in hex.
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}

/**
 * WebIDL's [EnforceRange] conversion.
 * @param {object} dictionary
 * @param {string} key
 * @param {string} type
 * @param {string} owner
 * @param {number} max
 * @returns {number | undefined}
 */
function enforceRange(dictionary, key, type, owner, max) {
  const value = /** @type {any} */ (dictionary)[key];
  if (value === undefined) {
    return undefined;
  }
  const prefix = CONSTRUCT +
    `Failed to read the '${key}' property from '${owner}': `;
  const number = Number(value);
  if (!Number.isFinite(number)) {
    throw new TypeError(`${prefix}Value is ${Number.isNaN(number) ? '' :
      'infinite and '}not of type '${type}'.`);
  }
  const integer = Math.trunc(number);
  if (integer < 0 || integer > max) {
    throw new TypeError(
      `${prefix}Value is outside the '${type}' value range.`);
  }
  return integer + 0;
}

/**
 * @param {any} dictionary
 * @param {string} prefix
 * @param {string} owner
 * @returns {4 | 6 | undefined} the family asked for
 */
function queryType(dictionary, prefix, owner) {
  const value = dictionary.dnsQueryType;
  if (value === undefined) {
    return undefined;
  }
  if (value !== 'ipv4' && value !== 'ipv6') {
    throw new TypeError(`${prefix}Failed to read the 'dnsQueryType' property ` +
      `from '${owner}': The provided value '${value}' is not a valid enum ` +
      'value of type SocketDnsQueryType.');
  }
  return value === 'ipv4' ? 4 : 6;
}

/**
 * Reads and checks the options in the order in which Chromium does.
 * @param {unknown} input
 */
function readOptions(input) {
  if (input !== undefined && input !== null &&
      typeof input !== 'object' && typeof input !== 'function') {
    throw new TypeError(CONSTRUCT +
      "The provided value is not of type 'UDPSocketOptions'.");
  }
  const from = /** @type {any} */ (input ?? {});
  /** @param {string} key */
  const string = (key) => {
    const value = from[key];
    return value === undefined ? undefined : String(value);
  };
  /** @param {string} key */
  const size = (key) =>
    enforceRange(from, key, 'unsigned long', 'SocketOptions', 2 ** 32 - 1);
  /** @param {string} key */
  const port = (key) =>
    enforceRange(from, key, 'unsigned short', 'UDPSocketOptions', 65535);

  const receiveBufferSize = size('receiveBufferSize');
  const sendBufferSize = size('sendBufferSize');
  const family = queryType(from, CONSTRUCT, 'UDPSocketOptions');
  const { ipv6Only: only } = from;
  const ipv6Only = only === undefined ? undefined : Boolean(only);
  const localAddress = string('localAddress');
  const localPort = port('localPort');
  const remoteAddress = string('remoteAddress');
  const remotePort = port('remotePort');

  /** @param {string} text */
  const refuse = (text) => new TypeError(CONSTRUCT + text);
  if ((remoteAddress === undefined) !== (remotePort === undefined)) {
    throw refuse('remoteAddress and remotePort should either be specified ' +
      'together or not specified at all.');
  }
  if (localAddress !== undefined && remoteAddress !== undefined) {
    throw refuse('remoteAddress and localAddress cannot be specified at the ' +
      'same time.');
  }
  if (localAddress === undefined && localPort !== undefined) {
    throw refuse('localPort cannot be specified without localAddress.');
  }
  if (localAddress === undefined && remoteAddress === undefined) {
    throw refuse('neither remoteAddress nor localAddress specified.');
  }
  const local =
    localAddress === undefined ? undefined : parseLiteral(localAddress);
  if (localAddress === undefined) {
    if (ipv6Only !== undefined) {
      throw refuse('ipv6Only can only be specified with localAddress.');
    }
  } else if (local === undefined) {
    throw refuse('localAddress must be a valid IP address.');
  } else if (localPort === 0) {
    throw refuse('localPort must be greater than zero. Leave this field ' +
      'unassigned to allow the OS to pick a port on its own.');
  } else if (family !== undefined) {
    throw refuse(
      'dnsQueryType is only relevant when remoteAddress is specified.');
  }
  if (sendBufferSize === 0) {
    throw refuse('sendBufferSize must be greater than zero.');
  }
  if (receiveBufferSize === 0) {
    // The extra "r" is Chromium's.
    throw refuse('receiverBufferSize must be greater than zero.');
  }
  if (ipv6Only !== undefined && local !== '::') {
    throw refuse('ipv6Only can only be specified when localAddress is [::] ' +
      'or equivalent.');
  }
  return { local, localPort, remoteAddress, remotePort, family, ipv6Only,
    receiveBufferSize, sendBufferSize };
}

/**
 * Reads and checks one message to send.
 * @param {any} chunk
 * @param {boolean} connected
 */
function readMessage(chunk, connected) {
  /** @param {string} text */
  const refuse = (text) => new TypeError(WRITE + text);
  if (chunk !== undefined && chunk !== null &&
      typeof chunk !== 'object' && typeof chunk !== 'function') {
    throw refuse("The provided value is not of type 'UDPMessage'.");
  }
  const { data, remoteAddress, remotePort } = chunk ?? {};
  let octets;
  if (data !== undefined) {
    const property = "Failed to read the 'data' property from 'UDPMessage': ";
    const buffer = ArrayBuffer.isView(data) ? data.buffer : data;
    if (typeof SharedArrayBuffer === 'function' &&
        buffer instanceof SharedArrayBuffer) {
      throw refuse(property + (ArrayBuffer.isView(data)
        ? 'The provided ArrayBufferView value must not be shared.'
        : "The provided value is not of type '(ArrayBuffer or " +
          "ArrayBufferView)'."));
    }
    if (!(buffer instanceof ArrayBuffer)) {
      throw refuse(property + "The provided value is not of type " +
        "'(ArrayBuffer or ArrayBufferView)'.");
    }
    // A copy, as the specification says: the sender may reuse its memory.
    octets = Buffer.from(ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data));
  }
  const family = queryType(chunk ?? {}, WRITE, 'UDPMessage');
  if (octets === undefined) {
    throw refuse("UDPMessage: missing 'data' field.");
  }
  if (remoteAddress !== undefined && remotePort !== undefined) {
    if (connected) {
      throw refuse("UDPMessage: 'remoteAddress' and 'remotePort' must not be " +
        "specified in 'connected' mode.");
    }
  } else if (remoteAddress !== undefined || remotePort !== undefined) {
    throw refuse("UDPMessage: either none or both 'remoteAddress' and " +
      "'remotePort' fields must be specified.");
  } else if (!connected) {
    throw refuse("UDPMessage: 'remoteAddress' and 'remotePort' must be " +
      "specified in 'bound' mode.");
  }
  if (family !== undefined && connected) {
    throw refuse("UDPMessage: 'dnsQueryType' must not be specified in " +
      "'connected' mode.");
  }
  if (octets.length === 0) {
    throw refuse("UDPMessage: 'data' field must not be empty.");
  }
  return { octets, family,
    // WebIDL's unsigned short without [EnforceRange]: modulo 65536.
    port: connected ? undefined : Number(remotePort) & 0xffff,
    address: connected ? undefined : String(remoteAddress) };
}

export class UDPSocket {
  /** @type {'opening' | 'open' | 'closed' | 'aborted'} */
  #state = 'opening';
  /** @type {import('node:dgram').Socket} */
  #dgram;
  #connected;
  /** @type {Promise<UDPSocketOpenInfo>} */
  #opened;
  /** @type {Promise<undefined>} */
  #closed;
  /** @type {(reason?: any) => void} */
  #rejectClosed = () => {};
  /** @type {(value?: undefined) => void} */
  #resolveClosed = () => {};
  /** @type {ReadableStreamDefaultController<UDPMessage> | undefined} */
  #reading;
  /** @type {WritableStreamDefaultController | undefined} */
  #writing;
  /** @type {ReadableStream<UDPMessage> | undefined} */
  #readable;
  /** @type {WritableStream<UDPMessage> | undefined} */
  #writable;
  /** How each stream ended: undefined while it lives. */
  /** @type {{ error?: DOMException } | undefined} */
  #readEnd;
  /** @type {{ error?: DOMException } | undefined} */
  #writeEnd;
  /** @type {UDPMessage[]} */
  #backlog = [];
  #backlogOctets = 0;
  #backlogLimit;
  /** @type {((error?: Error) => void) | undefined} */
  #pendingWrite;
  /** @type {Map<string, string>} */
  #texts = new Map();

  /** @param {UDPSocketOptions} [options] */
  constructor(options = {}) {
    const o = readOptions(options);
    this.#connected = o.remoteAddress !== undefined;
    this.#backlogLimit = Math.max(4096,
      Math.min(2 * (o.receiveBufferSize ?? BACKLOG_OCTETS), 2 * BACKLOG_OCTETS));
    this.#closed = new Promise((resolve, reject) => {
      this.#resolveClosed = resolve;
      this.#rejectClosed = reject;
    });
    this.#closed.catch(() => {});
    // A place holder until open() knows the family.
    this.#dgram = /** @type {any} */ (undefined);
    this.#opened = this.#open(o).catch((error) => {
      const reason =
        error instanceof DOMException ? error : openError(error);
      this.#state = 'aborted';
      this.#rejectClosed(reason);
      throw reason;
    });
  }

  get opened() {
    return this.#opened;
  }

  get closed() {
    return this.#closed;
  }

  /** @returns {Promise<undefined>} */
  close() {
    if (this.#state === 'opening') {
      return Promise.reject(new DOMException(
        `${CLOSE}Socket is not properly initialized.`, 'InvalidStateError'));
    }
    if (this.#state !== 'open') {
      return this.#closed;
    }
    if (this.#readable?.locked || this.#writable?.locked) {
      return Promise.reject(new DOMException(
        `${CLOSE}Close called on locked streams.`, 'InvalidStateError'));
    }
    const reason = new DOMException('Stream closed.', 'AbortError');
    this.#readable?.cancel(reason).catch(() => {});
    this.#writable?.abort(reason).catch(() => {});
    return this.#closed;
  }

  /**
   * @param {ReturnType<typeof readOptions>} o
   * @returns {Promise<UDPSocketOpenInfo>}
   */
  async #open(o) {
    if (o.local !== undefined && o.localPort !== undefined &&
        o.localPort < 1024) {
      throw openError({ code: 'EACCES' });
    }
    /** @type {string | undefined} */
    let remote;
    if (o.remoteAddress !== undefined) {
      remote = await resolve(o.remoteAddress, o.family);
    }
    const family = isIP(/** @type {string} */ (o.local ?? remote));
    const dgram = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      ipv6Only: o.ipv6Only ?? false,
      recvBufferSize: clampSize(o.receiveBufferSize),
      sendBufferSize: clampSize(o.sendBufferSize),
      // Literals need no resolver, and no turn of the event loop.
      lookup: (name, options, done) => {
        if (isIP(name) !== 0) {
          done(null, name, family);
        } else {
          dnsLookup(name, { family, ...options, all: false },
            /** @type {any} */ (done));
        }
      },
    });
    this.#dgram = dgram;
    try {
      await new Promise((done, fail) => {
        dgram.once('error', fail);
        const finish = () => {
          dgram.off('error', fail);
          done(undefined);
        };
        if (remote === undefined) {
          dgram.bind({ address: o.local, port: o.localPort ?? 0,
            exclusive: true }, finish);
        } else {
          // node:dgram has no port 0; nobody is at the other end of either.
          dgram.connect(o.remotePort || 65535, remote, /** @type {any} */ (
            (/** @type {Error | undefined} */ error) =>
              error ? fail(error) : finish()));
        }
      });
    } catch (error) {
      dgram.close();
      throw error;
    }
    dgram.on('error', (error) => {
      const name = netError(error);
      if (name !== IGNORED) {
        this.#readFailed(name);
      }
    });
    dgram.on('message', (data, peer) => this.#received(data, peer));
    this.#makeStreams();
    this.#state = 'open';
    const { address, port } = dgram.address();
    /** @type {UDPSocketOpenInfo} */
    const info = {
      localAddress: canonical(address), localPort: port,
      readable: /** @type {ReadableStream<UDPMessage>} */ (this.#readable),
      writable: /** @type {WritableStream<UDPMessage>} */ (this.#writable),
    };
    if (remote !== undefined) {
      info.remoteAddress = canonical(remote);
      info.remotePort = o.remotePort;
    }
    return info;
  }

  #makeStreams() {
    this.#readable = new ReadableStream({
      start: (controller) => {
        this.#reading = controller;
      },
      pull: () => this.#drain(),
      cancel: () => this.#endReading({}),
    }, { highWaterMark: READABLE_CREDIT });
    this.#writable = new WritableStream({
      start: (controller) => {
        this.#writing = controller;
        controller.signal.addEventListener('abort', () => {
          this.#settleWrite(controller.signal.reason);
        });
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#endWriting({}),
      abort: () => this.#endWriting({}),
    }, { highWaterMark: 1 });
  }

  /**
   * @param {Buffer} data
   * @param {import('node:dgram').RemoteInfo} peer
   */
  #received(data, peer) {
    if (this.#readEnd !== undefined) {
      return;
    }
    /** @type {UDPMessage} */
    const message = {
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
    if (!this.#connected) {
      message.remoteAddress = this.#peerText(peer.address);
      message.remotePort = peer.port;
    }
    const controller =
      /** @type {ReadableStreamDefaultController<UDPMessage>} */
      (this.#reading);
    if (this.#backlog.length === 0 && (controller.desiredSize ?? 0) > 0) {
      controller.enqueue(message);
    } else if (this.#backlogOctets <= this.#backlogLimit) {
      this.#backlog.push(message);
      this.#backlogOctets += data.length + BACKLOG_OVERHEAD;
    }
  }

  #drain() {
    const controller =
      /** @type {ReadableStreamDefaultController<UDPMessage>} */
      (this.#reading);
    while (this.#backlog.length > 0 && (controller.desiredSize ?? 0) > 0) {
      const message = /** @type {UDPMessage} */ (this.#backlog.shift());
      this.#backlogOctets -=
        /** @type {Uint8Array} */ (message.data).length + BACKLOG_OVERHEAD;
      controller.enqueue(message);
    }
  }

  /** @param {string} address */
  #peerText(address) {
    let text = this.#texts.get(address);
    if (text === undefined) {
      if (this.#texts.size >= 1024) {
        this.#texts.clear();
      }
      text = canonical(address);
      this.#texts.set(address, text);
    }
    return text;
  }

  /** @param {any} chunk */
  #write(chunk) {
    const { octets, address, port } = readMessage(chunk, this.#connected);
    return /** @type {Promise<void>} */ (new Promise((done, fail) => {
      this.#pendingWrite = (error) => error ? fail(error) : done();
      /** @param {Error | null} error */
      const sent = (error) => {
        const name = error ? netError(error) : IGNORED;
        if (name !== IGNORED) {
          this.#writeFailed(name);
        } else {
          this.#settleWrite();
        }
      };
      if (address === undefined) {
        this.#dgram.send(octets, sent);
      } else if (port === 0) {
        // node:dgram throws a RangeError where the system has EINVAL.
        queueMicrotask(() => this.#writeFailed('ERR_INVALID_ARGUMENT'));
      } else if (isMulticast(address)) {
        queueMicrotask(() => this.#writeFailed('ERR_MULTICAST_NOT_ALLOWED'));
      } else if (address.includes('%')) {
        queueMicrotask(() => this.#writeFailed('ERR_NAME_NOT_RESOLVED'));
      } else {
        this.#dgram.send(octets, port, address, sent);
      }
    }));
  }

  /** @param {Error} [error] */
  #settleWrite(error) {
    const settle = this.#pendingWrite;
    this.#pendingWrite = undefined;
    settle?.(error);
  }

  /** @param {string} name */
  #writeFailed(name) {
    if (this.#writeEnd !== undefined) {
      return;
    }
    const error = streamError(name);
    if (this.#pendingWrite) {
      this.#settleWrite(error);
    } else {
      this.#writing?.error(error);
    }
    this.#endWriting({ error });
  }

  /** @param {string} name */
  #readFailed(name) {
    if (this.#readEnd !== undefined) {
      return;
    }
    const error = streamError(name);
    this.#reading?.error(error);
    this.#endReading({ error });
  }

  /** @param {{ error?: DOMException }} end */
  #endReading(end) {
    this.#readEnd ??= end;
    this.#backlog = [];
    this.#backlogOctets = 0;
    // A writable that a malformed message killed never ends: the port stays
    // taken, as in Chromium, but does not keep the process alive.
    this.#dgram.unref();
    this.#endIfBoth();
  }

  /** @param {{ error?: DOMException }} end */
  #endWriting(end) {
    this.#writeEnd ??= end;
    this.#endIfBoth();
  }

  #endIfBoth() {
    if (this.#state !== 'open' || !this.#readEnd || !this.#writeEnd) {
      return;
    }
    const error = this.#readEnd.error ?? this.#writeEnd.error;
    this.#state = error ? 'aborted' : 'closed';
    this.#dgram.close(() => {
      if (error) {
        this.#rejectClosed(error);
      } else {
        this.#resolveClosed();
      }
    });
  }
}

/** @param {string} address */
const isMulticast = (address) =>
  /^(22[4-9]|23[0-9])\.|^ff[0-9a-f]{2}:/i.test(address) && isIP(address) !== 0;

/**
 * @param {string} name
 * @param {4 | 6 | undefined} family
 * @returns {Promise<string>}
 */
function resolve(name, family) {
  return new Promise((done, fail) => {
    dnsLookup(name, { family: family ?? 0, verbatim: true },
      (error, address) => error ? fail(error) : done(address));
  });
}

/**
 * Sizes that the system cannot take are cut, not refused.
 * @param {number | undefined} size
 */
function clampSize(size) {
  return size === undefined ? undefined : Math.min(size, 2 ** 31 - 1);
}
