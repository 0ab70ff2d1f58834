// SPDX-License-Identifier: Apache-2.0
// What the cases are written with: waits that end, octets to send and to
// compare, sessions and streams of the W3C WebTransport API.

let stepMs = 10_000;

/**
 * How long one step may take from now on.
 * @param {number} ms
 */
export function setStepMs(ms) {
  stepMs = ms;
}

/**
 * Waits for |promise|, but not for ever.
 * @template T
 * @param {string} what
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export function step(what, promise) {
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
export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/** @param {string} hex */
function octets(hex) {
  const pairs = hex.match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

/** A hash that no certificate has. */
export const WRONG = 'a5'.repeat(32);

/**
 * |length| octets that look random and differ with |seed|; the first eight
 * are |seed| and |length|, as far as there is room, so that a receiver knows
 * what it holds.
 * @param {number} length
 * @param {number} seed
 */
export function pattern(length, seed) {
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
export function expectSame(what, got, want) {
  expect(got.length === want.length,
    `${what}: ${got.length} octets where ${want.length} were expected`);
  const at = want.findIndex((octet, i) => octet !== got[i]);
  expect(at < 0, `${what}: octet ${at} of ${want.length} differs`);
}

/** @param {string} text */
export const encode = (text) => new TextEncoder().encode(text);

/** @param {Uint8Array} data */
export const decode = (data) => new TextDecoder('utf-8', { fatal: true }).decode(data);

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
export async function open(url, hashes, what = 'connecting') {
  const wt = begin(url, hashes);
  await step(what, wt.ready);
  return wt;
}

/**
 * @param {WebTransport} wt
 * @param {string} [what]
 */
export async function close(wt, what = 'closing') {
  wt.close();
  await step(what, wt.closed);
}

/**
 * Promise.all(), but it waits for all of them also when one fails: nothing of
 * one case may be left over when the next begins.
 * @template T
 * @param {Promise<T>[]} promises
 */
export async function all(promises) {
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
 * @param {import('./cases.mjs').Params} params
 * @param {string} query
 * @param {(wt: WebTransport) => Promise<T>} body
 */
export async function session(params, query, body) {
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
export class Octets {
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

  /** All that comes until the end. */
  async all() {
    while (await this.more()) { /* it is kept */ }
    return join(this.kept);
  }

  /** Expects the end, and nothing before it. */
  async end() {
    while (this.length === 0 && await this.more()) { /* an empty chunk */ }
    expect(this.length === 0, `${this.what}: ${this.length} octets too many`);
  }
}

/** @param {Uint8Array[]} parts */
export function join(parts) {
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
export async function send(writable, data, what) {
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
export async function accept(incoming, n, what) {
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
 * @param {import('./cases.mjs').Params} params
 * @param {number} size
 * @param {number} seed
 * @param {boolean} [wait]  until the server allows another stream
 */
export async function bidiEcho(wt, params, size, seed, wait) {
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
export function datagrams(wt) {
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
export async function datagramEcho(flow, data, what) {
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
export async function refused(url, hashes, what) {
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
export function streamError(code) {
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
export async function rejection(what, promise) {
  const error = await step(what, promise.then(
    () => null, (/** @type {any} */ reason) => reason));
  expect(error !== null, `${what}: no error came`);
  return error;
}

/** @param {string} text  base64url without padding */
function fromBase64url(text) {
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(raw, (c) => c.charCodeAt(0));
}

/**
 * What a signed hash set says, if the identity with the thumbprint |identity|
 * (RFC 7638) has signed it: a JWS in the compact form, ES256 (RFC 7515).
 * @param {string} jws
 * @param {string} identity
 */
export async function verified(jws, identity) {
  const parts = jws.split('.');
  expect(parts.length === 3, `no JWS: ${jws}`);
  const [header, payload, signature] = parts;
  const { alg, jwk: { crv, kty, x, y } } = JSON.parse(decode(fromBase64url(header)));
  expect(alg === 'ES256', `signed by ${alg}`);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256',
    encode(JSON.stringify({ crv, kty, x, y }))));
  expectSame("the key's thumbprint", digest, fromBase64url(identity));
  const key = await crypto.subtle.importKey('jwk', { crv, kty, x, y },
    { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  const data = encode(`${header}.${payload}`);
  const check = (/** @type {Uint8Array<ArrayBuffer>} */ octets) => crypto.subtle.verify(
    { name: 'ECDSA', hash: 'SHA-256' }, key, fromBase64url(signature), octets);
  expect(await check(data), 'the signature is wrong');
  data[data.length - 1] ^= 1;
  expect(!await check(data), 'any signature is taken');
  return JSON.parse(decode(fromBase64url(payload)));
}
