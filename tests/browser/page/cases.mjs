// SPDX-License-Identifier: Apache-2.0
// What a client does in each case, written against the W3C WebTransport API
// and nothing else: the same module runs in Chromium, Firefox and Deno.
//
// The runner calls answer(name, params) and gets JSON back.  Every wait goes
// through step(), so a wait that never ends names itself.  Where a client is
// known not to do a thing, the runner does not ask for it; the one exception
// is |params.fin|: false where a client cannot end a stream, in which case
// octets are counted and the end is not waited for.

/**
 * What every case gets.
 * @typedef {object} Params
 * @property {string} url        where to connect to
 * @property {string[]} hashes   SHA-256 of the certificates to accept, in hex
 * @property {boolean} fin       whether this client can end its streams
 * @property {number} stepMs     how long one step may take
 */

/** @typedef {{ok: boolean, result?: any, error?: string}} Answer */

let stepMs = 10_000;

/**
 * Waits for |promise|, but not for ever.
 * @template T
 * @param {string} what
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function step(what, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${what}: nothing within ${stepMs} ms`)), stepMs);
    promise.then(
      (value) => { clearTimeout(timer); resolve(value); },
      (error) => {
        clearTimeout(timer);
        reject(new Error(`${what}: ${describe(error)}`, { cause: error }));
      });
  });
}

/** @param {any} error */
function describe(error) {
  const code = error?.streamErrorCode ?? null;
  return `${error?.name ?? 'error'}: ${error?.message ?? error}`
    + (code === null ? '' : ` (stream error code ${code})`);
}

/**
 * @param {boolean} condition
 * @param {string} message
 */
function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/** @param {string} hex */
function octets(hex) {
  const pairs = hex.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

/** A hash that no certificate has. */
const WRONG = 'a5'.repeat(32);

/**
 * |length| octets that look random and differ with |seed|; the first eight
 * are |seed| and |length|, as far as there is room, so that a receiver knows
 * what it holds.
 * @param {number} length
 * @param {number} seed
 */
function pattern(length, seed) {
  const out = new Uint8Array(length);
  let x = (seed + 1) * 2654435761 >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    x ^= x << 13; x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5; x >>>= 0;
    out[i] = x;
  }
  if (length >= 8) {
    const view = new DataView(out.buffer);
    view.setUint32(0, seed);
    view.setUint32(4, length);
  }
  return out;
}

/**
 * @param {string} what
 * @param {Uint8Array} got
 * @param {Uint8Array} want
 */
function expectSame(what, got, want) {
  expect(got.length === want.length,
    `${what}: ${got.length} octets where ${want.length} were expected`);
  const at = want.findIndex((octet, i) => octet !== got[i]);
  expect(at < 0, `${what}: octet ${at} of ${want.length} differs`);
}

/** @param {string} text */
const encode = (text) => new TextEncoder().encode(text);

/** @param {Uint8Array} data */
const decode = (data) => new TextDecoder('utf-8', { fatal: true }).decode(data);

/**
 * A session that is being opened; its refusal is nobody's unhandled one.
 * @param {string} url
 * @param {string[]} hashes
 */
function begin(url, hashes) {
  const wt = new WebTransport(url, {
    serverCertificateHashes: hashes.map(
      (hex) => ({ algorithm: 'sha-256', value: octets(hex) })),
  });
  wt.ready.catch(() => {});
  wt.closed.catch(() => {});
  return wt;
}

/**
 * @param {string} url
 * @param {string[]} hashes
 * @param {string} [what]
 */
async function open(url, hashes, what = 'connecting') {
  const wt = begin(url, hashes);
  await step(what, wt.ready);
  return wt;
}

/**
 * @param {WebTransport} wt
 * @param {string} [what]
 */
async function close(wt, what = 'closing') {
  wt.close();
  await step(what, wt.closed);
}

/**
 * Promise.all(), but it waits for all of them also when one fails: nothing of
 * one case may be left over when the next begins.
 * @template T
 * @param {Promise<T>[]} promises
 */
async function all(promises) {
  const outcomes = await Promise.allSettled(promises);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
  return outcomes.map(
    (outcome) => /** @type {PromiseFulfilledResult<T>} */ (outcome).value);
}

/**
 * Opens a session, runs |body|, closes it.
 * @template T
 * @param {Params} params
 * @param {string} query
 * @param {(wt: WebTransport) => Promise<T>} body
 */
async function session(params, query, body) {
  const wt = await open(params.url + query, params.hashes);
  let result;
  try {
    result = await body(wt);
  } catch (error) {
    await close(wt).catch(() => {});
    throw error;
  }
  await close(wt);
  return result;
}

/** A readable stream of octets, read by number rather than by chunk. */
class Octets {
  /**
   * @param {ReadableStream<Uint8Array>} readable
   * @param {string} what
   */
  constructor(readable, what) {
    this.reader = readable.getReader();
    this.what = what;
    /** @type {Uint8Array[]} */
    this.kept = [];
    /** How many octets are kept, and how many came in all. */
    this.length = 0;
    this.total = 0;
  }

  /** Reads one chunk; false at the end. */
  async more() {
    const { value, done } = await step(
      `${this.what}: reading after ${this.total} octets`, this.reader.read());
    if (done) return false;
    // Deno hands out its own buffer's view: keep a copy.
    this.kept.push(value.slice());
    this.length += value.length;
    this.total += value.length;
    return true;
  }

  /**
   * Exactly the next |n| octets.
   * @param {number} n
   */
  async take(n) {
    while (this.length < n) {
      expect(await this.more(),
        `${this.what}: ended after ${this.total} octets, ${n - this.length} missing`);
    }
    const all = join(this.kept);
    this.kept = [all.subarray(n)];
    this.length -= n;
    return all.subarray(0, n);
  }

  /** Expects the end, and nothing before it. */
  async end() {
    while (this.length === 0 && await this.more()) { /* an empty chunk */ }
    expect(this.length === 0, `${this.what}: ${this.length} octets too many`);
  }
}

/** @param {Uint8Array[]} parts */
function join(parts) {
  if (parts.length === 1) return parts[0];
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * Writes |data| in chunks and ends the stream.
 * @param {WritableStream<Uint8Array>} writable
 * @param {Uint8Array} data
 * @param {string} what
 */
async function send(writable, data, what) {
  const CHUNK = 65536;
  const writer = writable.getWriter();
  for (let at = 0; at < data.length; at += CHUNK) {
    await step(`${what}: writing at ${at} of ${data.length}`,
      writer.write(data.subarray(at, at + CHUNK)));
  }
  await step(`${what}: ending after ${data.length}`, writer.close());
}

/**
 * The next |n| streams that the server opens.
 * @template T
 * @param {ReadableStream<T>} incoming
 * @param {number} n
 * @param {string} what
 * @returns {Promise<T[]>}
 */
async function accept(incoming, n, what) {
  const reader = incoming.getReader();
  const streams = [];
  for (let i = 0; i < n; i++) {
    const { value, done } = await step(
      `${what}: accepting ${i + 1} of ${n}`, reader.read());
    expect(!done, `${what}: no more streams after ${i} of ${n}`);
    streams.push(/** @type {T} */ (value));
  }
  reader.releaseLock();
  return streams;
}

/**
 * One bidirectional echo of |size| octets.
 * @param {WebTransport} wt
 * @param {Params} params
 * @param {number} size
 * @param {number} seed
 * @param {boolean} [wait]  until the server allows another stream
 */
async function bidiEcho(wt, params, size, seed, wait) {
  const what = `bidi stream ${seed}`;
  const data = pattern(size, seed);
  const options = /** @type {WebTransportSendStreamOptions} */ (
    wait ? { waitUntilAvailable: true } : {});
  const stream = await step(`${what}: opening`,
    wt.createBidirectionalStream(options));
  const echoed = new Octets(stream.readable, what);
  const sent = send(stream.writable, data, what);
  const got = echoed.take(size);
  await all(/** @type {Promise<unknown>[]} */ ([sent, got]));
  expectSame(what, await got, data);
  if (params.fin) await echoed.end();
}

/** @param {WebTransport} wt */
function datagrams(wt) {
  return {
    writer: /** @type {WritableStream<Uint8Array>} */ (
      wt.datagrams.writable).getWriter(),
    reader: wt.datagrams.readable.getReader(),
  };
}

/**
 * One datagram there and back.
 * @param {ReturnType<typeof datagrams>} flow
 * @param {Uint8Array} data
 * @param {string} what
 */
async function datagramEcho(flow, data, what) {
  await step(`${what}: sending`, flow.writer.write(data));
  const { value, done } = await step(`${what}: receiving`, flow.reader.read());
  expect(!done, `${what}: no more datagrams`);
  expectSame(what, value, data);
}

/**
 * Expects |url| with |hashes| to be refused.
 * @param {string} url
 * @param {string[]} hashes
 * @param {string} what
 */
async function refused(url, hashes, what) {
  const wt = begin(url, hashes);
  const outcome = await step(what, wt.ready.then(
    () => null, (/** @type {any} */ error) => error));
  if (outcome === null) {
    wt.close();
    throw new Error(`${what}: was accepted`);
  }
  expect(outcome instanceof WebTransportError,
    `${what}: refused with ${describe(outcome)}, no WebTransportError`);
  return describe(outcome);
}

/**
 * The constructor took one dictionary before it took a message and options;
 * Chromium 156 is of before.
 * @param {number} code
 */
function streamError(code) {
  const message = 'as the case asks';
  const Constructor = /** @type {any} */ (WebTransportError);
  try {
    const error = new Constructor(message, { streamErrorCode: code });
    if (error.streamErrorCode === code) return error;
  } catch {
    // The older form, then.
  }
  return new Constructor({ message, streamErrorCode: code });
}

/**
 * What |promise| is rejected with.
 * @param {string} what
 * @param {Promise<any>} promise
 */
async function rejection(what, promise) {
  const error = await step(what, promise.then(
    () => null, (/** @type {any} */ reason) => reason));
  expect(error !== null, `${what}: no error came`);
  return error;
}

/** Sessions that live longer than one call. */
/** @type {Map<string, {wt: WebTransport, writer: any, echoed: Octets, flow: ReturnType<typeof datagrams>, rounds: number}>} */
const held = new Map();

/** @param {string} id */
function heldSession(id) {
  const it = held.get(id);
  if (!it) throw new Error(`no session is held as ${id}`);
  return it;
}

/**
 * The part of a share link that a page needs: see "Publishing" in the design.
 * @param {string} link  https://host:port/path#wt=<b64url>.<b64url>[&…]
 */
export function parseLink(link) {
  const at = link.indexOf('#');
  expect(at > 0, `the link has no fragment: ${link}`);
  const wt = new URLSearchParams(link.slice(at + 1)).get('wt');
  expect(!!wt, `the link's fragment names no hash: ${link}`);
  const hashes = /** @type {string} */ (wt).split('.').map((text) => {
    expect(/^[A-Za-z0-9_-]{43}$/.test(text), `no base64url hash: ${text}`);
    const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/') + '=');
    return Array.from(raw, (c) => c.charCodeAt(0).toString(16).padStart(2, '0'))
      .join('');
  });
  return { url: link.slice(0, at), hashes };
}

/** @type {Record<string, (params: any) => Promise<any>>} */
const CASES = {
  /**
   * @param {Params & {sizes: number[], wave?: number, wait?: boolean}} params
   *     |wave| streams at once, or all
   */
  bidi: (params) => session(params, '', async (wt) => {
    const { sizes, wave = sizes.length, wait } = params;
    for (let from = 0; from < sizes.length; from += wave) {
      await all(sizes.slice(from, from + wave).map(
        (size, i) => bidiEcho(wt, params, size, from + i, wait)));
    }
  }),

  /** @param {Params & {sizes: number[]}} params  all streams at once */
  uni: (params) => session(params, '', async (wt) => {
    const sent = all(params.sizes.map(async (size, i) => {
      const what = `uni stream ${i}`;
      const stream = await step(`${what}: opening`,
        wt.createUnidirectionalStream());
      await send(stream, pattern(size, i), what);
    }));
    const came = accept(wt.incomingUnidirectionalStreams, params.sizes.length,
      'uni echo').then((streams) => all(streams.map(async (stream, n) => {
      const echoed = new Octets(stream, `uni echo ${n}`);
      const head = (await echoed.take(8)).slice();
      const view = new DataView(head.buffer);
      const seed = view.getUint32(0);
      const size = view.getUint32(4);
      expect(params.sizes[seed] === size,
        `uni echo ${n}: starts with ${seed}, ${size}`);
      const rest = await echoed.take(size - 8);
      expectSame(`uni echo of ${seed}`, join([head, rest]), pattern(size, seed));
      if (params.fin) await echoed.end();
      return seed;
    })));
    await all(/** @type {Promise<unknown>[]} */ ([sent, came]));
    const seeds = await came;
    expect(new Set(seeds).size === params.sizes.length,
      `not every stream was echoed once: ${seeds}`);
  }),

  /** A uni stream without an octet is echoed as one. */
  'uni-empty': (/** @type {Params} */ params) => session(params, '', async (wt) => {
    const stream = await step('opening', wt.createUnidirectionalStream());
    await send(stream, new Uint8Array(0), 'uni stream');
    const [echo] = await accept(wt.incomingUnidirectionalStreams, 1, 'uni echo');
    await new Octets(echo, 'uni echo').end();
  }),

  /** @param {Params & {count: number}} params  /echo?uni=N */
  'server-uni': (params) => session(params, `?uni=${params.count}`, async (wt) => {
    const streams = await accept(wt.incomingUnidirectionalStreams, params.count,
      'server uni');
    await all(streams.map(async (stream, i) => {
      const data = new Octets(stream, `server uni ${i}`);
      const text = decode(await data.take(5));
      expect(text === 'hello', `server uni ${i}: began with ${text}`);
      await data.end();
    }));
  }),

  /** @param {Params & {count: number}} params  /echo?bidi=N */
  'server-bidi': (params) => session(params, `?bidi=${params.count}`, async (wt) => {
    const streams = await accept(wt.incomingBidirectionalStreams, params.count,
      'server bidi');
    const names = await all(streams.map(async (stream, i) => {
      const what = `server bidi ${i}`;
      const data = new Octets(stream.readable, what);
      const hello = decode(await data.take(6));
      expect(hello === 'hello ', `${what}: began with ${hello}`);
      // The number's length is not known: what is ours begins with "|".
      const ours = pattern(2000 + i, i);
      const sent = send(stream.writable, join([encode('|'), ours]), what);
      let number = '';
      for (;;) {
        const c = decode(await data.take(1));
        if (c === '|') break;
        expect(/[0-9]/.test(c), `${what}: ${c} in the number`);
        number += c;
      }
      expectSame(what, await data.take(ours.length), ours);
      await sent;
      if (params.fin) await data.end();
      return Number(number);
    }));
    names.sort((a, b) => a - b);
    return names;
  }),

  /** @param {Params & {sizes: number[]}} params  one after the other */
  datagram: (params) => session(params, '', async (wt) => {
    const flow = datagrams(wt);
    for (const [i, size] of params.sizes.entries()) {
      await datagramEcho(flow, pattern(size, i), `datagram ${i} of ${size}`);
    }
  }),

  /** The largest datagram that the client says it can send. */
  'datagram-max': (/** @type {Params} */ params) => session(params, '', async (wt) => {
    const size = wt.datagrams.maxDatagramSize;
    expect(size >= 1000 && size <= 65535, `maxDatagramSize is ${size}`);
    await datagramEcho(datagrams(wt), pattern(size, 7), `datagram of ${size}`);
    return size;
  }),

  /**
   * The client closes.
   * @param {Params & {closeCode?: number, reason?: string}} params
   */
  close: async (params) => {
    const wt = await open(params.url, params.hashes);
    const { closeCode, reason } = params;
    wt.close(closeCode === undefined ? undefined : { closeCode, reason });
    const info = await step('wt.closed', wt.closed);
    return { closeCode: info.closeCode, reason: info.reason };
  },

  /**
   * The server closes, at once or when the runner has told it to.
   * @param {Params & {query: string}} params
   */
  closed: async (params) => {
    const wt = await open(params.url + params.query, params.hashes);
    const info = await step('wt.closed', wt.closed);
    return { closeCode: info.closeCode, reason: info.reason };
  },

  /**
   * Resets a stream under way; the echo app answers with a reset.
   * @param {Params & {code: number, resetCodes: boolean}} params
   */
  reset: (params) => session(params, '', async (wt) => {
    const stream = await step('opening', wt.createBidirectionalStream());
    const writer = stream.writable.getWriter();
    await step('writing', writer.write(encode('hello')));
    const data = new Octets(stream.readable, 'bidi stream');
    await data.take(5);
    await step('writer.abort', writer.abort(streamError(params.code)));
    const error = await rejection('the reset that answers', data.reader.read());
    const code = params.resetCodes ? error.streamErrorCode : null;
    await bidiEcho(wt, params, 100, 1);
    return code;
  }),

  /**
   * Tells the server to stop sending: it resets its direction (RFC 9000,
   * section 3.5), and the echo app stops reading ours with the same code.
   * @param {Params & {code: number}} params
   */
  'stop-sending': (params) => session(params, '', async (wt) => {
    const stream = await step('opening', wt.createBidirectionalStream());
    const writer = stream.writable.getWriter();
    await step('writing', writer.write(encode('hello')));
    const data = new Octets(stream.readable, 'bidi stream');
    await data.take(5);
    await step('reader.cancel', data.reader.cancel(streamError(params.code)));
    const error = await rejection('the stop that answers', writer.closed);
    const code = error instanceof WebTransportError ? error.streamErrorCode : null;
    await bidiEcho(wt, params, 100, 1);
    return code;
  }),

  /** Two hashes, one of them right, in either order. */
  'two-hashes': async (/** @type {Params} */ params) => {
    for (const hashes of [[WRONG, params.hashes[0]], [params.hashes[0], WRONG]]) {
      await session({ ...params, hashes }, '', (wt) => bidiEcho(wt, params, 10, 0));
    }
  },

  /** A wrong hash is refused, and the server is none the worse. */
  'wrong-hash': async (/** @type {Params} */ params) => {
    const message = await refused(params.url, [WRONG], 'a wrong hash');
    await session(params, '', (wt) => bidiEcho(wt, params, 10, 0));
    return message;
  },

  /** @param {Params & {path: string}} params */
  'unknown-path': async (params) => {
    const url = new URL(params.path, params.url).href;
    const message = await refused(url, params.hashes, `the path ${params.path}`);
    await session(params, '', (wt) => bidiEcho(wt, params, 10, 0));
    return message;
  },

  /** @param {Params & {link: string}} params  what a person was handed */
  link: async (params) => {
    const { url, hashes } = parseLink(params.link);
    await session({ ...params, url, hashes }, '', (wt) => bidiEcho(wt, params, 10, 0));
    return { url, hashes };
  },

  /** @param {Params & {count: number}} params  sessions side by side */
  sessions: (params) => all(Array.from({ length: params.count }, (_, i) =>
    session(params, '', (wt) => bidiEcho(wt, params, 5000, i)))),

  /** A session that is left open: the page will go without closing it. */
  leave: async (/** @type {Params} */ params) => {
    const wt = await open(params.url, params.hashes);
    await bidiEcho(wt, params, 10, 0);
  },

  /** @param {Params & {id: string}} params  opens a session and keeps it */
  hold: async (params) => {
    const wt = await open(params.url, params.hashes, 'connecting to be held');
    const stream = await step('opening', wt.createBidirectionalStream());
    held.set(params.id, {
      wt,
      writer: stream.writable.getWriter(),
      echoed: new Octets(stream.readable, 'the held stream'),
      flow: datagrams(wt),
      rounds: 0,
    });
    await CASES['held'](params);
  },

  /** @param {Params & {id: string}} params  a held session goes on */
  held: async (params) => {
    const it = heldSession(params.id);
    const round = it.rounds++;
    const data = pattern(3000, round);
    await step('the held stream: writing', it.writer.write(data));
    expectSame('the held stream', await it.echoed.take(data.length), data);
    await datagramEcho(it.flow, pattern(100, round), 'the held session, datagram');
    await bidiEcho(it.wt, params, 1000, round);
  },

  /** @param {Params & {id: string}} params */
  release: async (params) => {
    const it = heldSession(params.id);
    held.delete(params.id);
    await step('the held stream: ending', it.writer.close());
    if (params.fin) await it.echoed.end();
    await close(it.wt, 'closing the held session');
  },

  /** @param {Params & {id: string}} params  the server goes */
  over: async (params) => {
    const { wt } = heldSession(params.id);
    await step('the held session ends', wt.closed.then(() => {}, () => {}));
    held.delete(params.id);
  },

  /**
   * The certificate has just been swapped.
   * @param {Params & {id: string, before: {active: string, standby: string}, now: {active: string, standby: string}}} params
   */
  swapped: async (params) => {
    const { before, now, url } = params;
    const fresh = async (/** @type {string} */ what, /** @type {string[]} */ hashes) => {
      const wt = await open(url, hashes, what);
      await bidiEcho(wt, params, 20, 0);
      await close(wt);
    };
    await all([
      CASES['held'](params),
      fresh('connecting with the new active hash', [now.active]),
      fresh('connecting with the standby hash of before', [before.standby]),
      refused(url, [before.active], 'the old hash'),
      refused(url, [now.standby], 'the hash that is not served yet'),
    ]);
  },
};

/**
 * Runs one case.  Never throws: what went wrong is in the answer.
 * @param {string} name
 * @param {Params} params
 * @returns {Promise<Answer>}
 */
export async function answer(name, params) {
  stepMs = params.stepMs;
  try {
    if (!(name in CASES)) throw new Error(`no such case: ${name}`);
    return { ok: true, result: (await CASES[name](params)) ?? null };
  } catch (error) {
    return { ok: false, error: /** @type {Error} */ (error).message };
  }
}
