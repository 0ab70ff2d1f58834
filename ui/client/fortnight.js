// SPDX-License-Identifier: Apache-2.0
/**
 * Connects a page to a Fortnight server by its link, and keeps up with the
 * server's certificates from then on.
 *
 *   const transport = connect(link, { reconnect: true });
 *   await transport.ready;
 *
 * The link names the certificates' hashes, and the identity that signs the next
 * ones.  Each signed set that comes (from the server while connected, or from a
 * mirror) is verified, kept if it is newer, and never replaced by an older one.
 * Whatever goes wrong is a FortnightError: a sentence for a person, a code for
 * a program.
 *
 * Where the signed set comes from needs no trust: only verifyDocument() decides.
 */

/** Where the server tells each new signed set: server/apps/hash_feed.h. */
const FEED_PATH = '/.fortnight/hashes';

/** Of a signed set, in characters: certmgr/hashset_signed.h. */
const DOCUMENT_MAX = 4095;
const LINK_MAX = 4096;
const URL_MAX = 511;
const HASHES_MAX = 8;

/** What a browser takes: 14 days less one second. */
const VALIDITY_MAX = 1_209_599;

/** Hashes that a newer set has left out, remembered for each identity. */
const RETIRED_MAX = 32;

const HOUR = 3600;
const DAY = 86400;

/** A clock that is this wrong is told of, in seconds. */
const CLOCK_MAX = HOUR;

/** An attempt that took this long and failed met silence: Chromium's 4 s, in ms. */
const SILENCE_MS = 3_950;

const FETCH_MS = 10_000;

/**
 * How long one attempt may take.  Chromium gives up by itself, after 4 s of
 * silence; but it makes a page that has failed some ten times wait before it
 * even begins, and the longer, the more often that is given up.  Firefox would
 * take 30 s.
 */
const timeoutMs = () => ('userAgentData' in (globalThis.navigator ?? {}) ? 300_000 : 10_000);

/**
 * What went wrong.
 *
 * Connecting:
 * - `bad-link`: it is no link, or was cut off
 * - `unsupported`: no WebTransport here, or the page is not secure (https)
 * - `link-too-old`: every hash that is known has run out or was replaced
 * - `clock-wrong`: this device's clock
 * - `not-reachable`: nothing answers there
 * - `no-connection`: the browser does not tell; `maybe` has what it can be
 * - `permission-denied`: the browser's, for the local network
 * - `page-policy`: the page's own Content-Security-Policy
 * - `refused`: the server is there, and does not want this session
 * - `lost`: there was a session, and it broke off
 * - `closed`: close() was called
 *
 * Of a signed set (verifyDocument()):
 * - `document-malformed`, `document-identity` (somebody else's),
 *   `document-signature`, `document-expired`; `document-older` (than the one
 *   that is known, or the same); `mirror-unreachable`
 * @typedef {'bad-link'|'unsupported'|'link-too-old'|'clock-wrong'|'not-reachable'
 *   |'no-connection'|'permission-denied'|'page-policy'|'refused'|'lost'|'closed'
 *   |'document-malformed'|'document-identity'|'document-signature'
 *   |'document-expired'|'document-older'|'mirror-unreachable'} ErrorCode
 */

/** The one class of error that this module throws and rejects with. */
export class FortnightError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message  a sentence for a person
   * @param {{cause?: unknown, maybe?: ErrorCode[], temporary?: boolean}} [more]
   */
  constructor(code, message, { cause, maybe = [], temporary = false } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'FortnightError';
    /** @type {ErrorCode} */
    this.code = code;
    /** What else it may be, where nobody can know. @type {ErrorCode[]} */
    this.maybe = maybe;
    /** Whether trying again later can help without anybody doing anything. */
    this.temporary = temporary;
  }
}

/**
 * @typedef {object} Link  what a link says
 * @property {string} url        https://host:port/path
 * @property {string[]} hashes   SHA-256 in base64url
 * @property {string | null} identity  whose signature counts: an RFC 7638
 *     thumbprint.  Without one nothing newer can be verified
 * @property {string | null} mirror    https URL of the signed set
 */

/**
 * @typedef {object} DocumentHash  one certificate; times in seconds since 1970
 * @property {'active' | 'standby'} use
 * @property {'sha-256'} alg
 * @property {string} hex
 * @property {string} b64url
 * @property {number} not_before
 * @property {number} not_after
 * @property {number} active_from
 */

/**
 * @typedef {object} HashSet  a signed set; times in seconds since 1970 UTC
 * @property {number} v
 * @property {number} epoch
 * @property {number} seq
 * @property {number} issued_at
 * @property {number} refresh_after
 * @property {number} valid_until
 * @property {string} url
 * @property {DocumentHash[]} hashes  the active one, then the standby
 */

/**
 * @typedef {object} KeyValueStore  localStorage, or what behaves so; may be
 *     asynchronous.  What it throws is ignored: then nothing is kept
 * @property {(key: string) => string | null | undefined | Promise<string | null | undefined>} getItem
 * @property {(key: string, value: string) => unknown} setItem
 */

/**
 * @typedef {object} Reconnect
 * @property {number} [first]  ms until the first new attempt, about (500)
 * @property {number} [most]   ms between two attempts, at most (30000)
 * @property {number} [tries]  attempts in a row that may fail (no limit)
 * @property {(info: WebTransportCloseInfo) => boolean} [after]  whether to
 *     connect again after the server has closed the session; by default if its
 *     code is 0, as when a server is restarted
 */

/**
 * @typedef {object} ConnectOptions
 * @property {string} [path]  another path of the same server, with a query if
 *     there is one: "/room?name=tea"
 * @property {boolean | Reconnect} [reconnect]  whether to connect again when the
 *     connection is lost (false)
 * @property {boolean} [follow]  whether to learn new hashes from the server
 *     while connected, over a second connection (true)
 * @property {KeyValueStore | null} [storage]  where the newest set is kept; by
 *     default localStorage, or this module's memory.  null: nowhere
 * @property {string | URL | null} [mirror]  instead of the link's; may be
 *     relative to the page.  null: none
 * @property {string | URL | null} [time]  whose Date header tells the time, when
 *     connecting has failed; by default the page's own address.  null: none
 * @property {number} [timeout]  ms that one attempt may take (10000; in Chromium
 *     300000, as it gives up by itself before)
 * @property {Omit<WebTransportOptions, 'serverCertificateHashes'> & Record<string, unknown>} [webTransport]
 *     for the WebTransport constructor
 */

/** @typedef {'connecting' | 'connected' | 'reconnecting' | 'closed'} State */

// ---- Text and octets ----

const BASE64URL = /^[A-Za-z0-9_-]+$/;

/**
 * Strict: what is not the one way to write these octets is null.
 * @param {unknown} text
 * @param {number} [length]  of what comes out
 * @returns {Uint8Array<ArrayBuffer> | null}
 */
function fromBase64url(text, length) {
  if (typeof text !== 'string' || !BASE64URL.test(text) || text.length % 4 === 1) return null;
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const octets = Uint8Array.from(raw, (c) => c.charCodeAt(0));
  if (length !== undefined && octets.length !== length) return null;
  return toBase64url(octets) === text ? octets : null;
}

/** @param {Uint8Array} octets */
function toBase64url(octets) {
  return btoa(String.fromCharCode(...octets))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @param {Uint8Array} octets */
const toHex = (octets) =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');

/**
 * @param {string} text
 * @param {string} [base]
 * @returns {URL | null}
 */
function parseUrl(text, base) {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}

/** @param {number} seconds */
function duration(seconds) {
  const s = Math.abs(seconds);
  const [n, unit] = s >= 2 * DAY ? [s / DAY, 'day'] : s >= 2 * HOUR ? [s / HOUR, 'hour'] : [s / 60, 'minute'];
  const whole = Math.max(1, Math.round(n));
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`;
}

/** In seconds since 1970 UTC. */
const wallClock = () => Date.now() / 1000;

// ---- The link ----

/**
 * Reads a link, `https://host:port/path#wt=…&id=…&mirror=…`.
 * @param {string | URL} link
 * @returns {Link}
 * @throws {FortnightError} `bad-link`
 */
export function parseLink(link) {
  const refuse = (/** @type {string} */ why) => new FortnightError('bad-link',
    `This is not a whole Fortnight link: ${why}. Copy it again, from its beginning to its end.`);
  const text = typeof link === 'string' ? link.trim() : link instanceof URL ? link.href : '';
  if (text.length > LINK_MAX) throw refuse('it is too long');
  const url = parseUrl(text);
  if (!url || url.protocol !== 'https:') throw refuse('it does not begin with https://');
  if (url.username || url.password) throw refuse('there is a user name in it');
  const params = new URLSearchParams(url.hash.slice(1));
  for (const name of ['wt', 'id', 'mirror']) {
    if (params.getAll(name).length > 1) throw refuse(`it has "${name}" twice`);
  }
  const hashes = [...new Set((params.get('wt') ?? '').split('.'))];
  if (hashes.length > HASHES_MAX || !hashes.every((it) => fromBase64url(it, 32))) {
    throw refuse(params.has('wt') ? 'the part after "wt=" is damaged' : 'the part after "#" is missing');
  }
  const identity = params.get('id');
  if (identity !== null && !fromBase64url(identity, 32)) {
    throw refuse('the part after "id=" is damaged');
  }
  const mirror = params.get('mirror');
  if (mirror !== null) {
    const at = parseUrl(mirror);
    if (!at || at.protocol !== 'https:' || at.username || at.password || at.hash) {
      throw refuse('the part after "mirror=" is damaged');
    }
  }
  url.hash = '';
  return { url: url.href, hashes, identity, mirror };
}

// ---- The signed set ----

const isObject = (/** @type {unknown} */ value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTime = (/** @type {unknown} */ value) =>
  Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;

const isCount = (/** @type {unknown} */ value) =>
  Number.isSafeInteger(value) && /** @type {number} */ (value) >= 1;

/**
 * @param {string} part  of a JWS
 * @returns {any}  undefined if it is no JSON
 */
function parseJson(part) {
  const octets = fromBase64url(part);
  if (!octets) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch {
    return undefined;
  }
}

/**
 * @param {any} hash
 * @param {number} i
 */
function isSoundHash(hash, i) {
  if (!isObject(hash) || hash.use !== ['active', 'standby'][i] || hash.alg !== 'sha-256') return false;
  const octets = fromBase64url(hash.b64url, 32);
  return octets !== null && toHex(octets) === hash.hex
    && isTime(hash.not_before) && isTime(hash.not_after) && isTime(hash.active_from)
    && hash.not_after > hash.not_before && hash.not_after - hash.not_before <= VALIDITY_MAX;
}

/** @param {any} set */
function isSound(set) {
  if (!isObject(set) || set.v !== 1 || !isCount(set.epoch) || !isCount(set.seq)
    || !isTime(set.issued_at) || !isTime(set.refresh_after) || !isTime(set.valid_until)
    || typeof set.url !== 'string' || set.url.length > URL_MAX || !set.url.startsWith('https://')) {
    return false;
  }
  const { hashes } = set;
  return parseUrl(set.url) !== null && Array.isArray(hashes)
    && hashes.length >= 1 && hashes.length <= 2 && hashes.every(isSoundHash);
}

/**
 * Verifies a signed set: a JWS in the compact form (RFC 7515), ES256, by the key
 * that has the thumbprint |identity| (RFC 7638).
 * @param {unknown} jws  may be anything
 * @param {string} identity
 * @param {object} [options]
 * @param {number} [options.now]  in seconds since 1970 UTC; the clock's time
 * @param {boolean} [options.expired]  whether a set that has run out is taken
 * @returns {Promise<HashSet>}
 * @throws {FortnightError} `document-malformed`, `document-identity`,
 *     `document-signature`, `document-expired`; `unsupported` without WebCrypto
 */
export async function verifyDocument(jws, identity, { now = wallClock(), expired = false } = {}) {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle) throw new FortnightError('unsupported', INSECURE);
  const malformed = () => new FortnightError('document-malformed',
    'What came is not a signed set of hashes.');
  if (typeof jws !== 'string' || jws.length > DOCUMENT_MAX) throw malformed();
  const parts = jws.split('.');
  const signature = fromBase64url(parts[2], 64);
  const header = parseJson(parts[0]);
  const jwk = header?.jwk;
  if (parts.length !== 3 || !signature || !isObject(header) || header.alg !== 'ES256'
    || 'crit' in header || !isObject(jwk) || jwk.kty !== 'EC' || jwk.crv !== 'P-256'
    || !fromBase64url(jwk.x, 32) || !fromBase64url(jwk.y, 32)) {
    throw malformed();
  }
  const { x, y } = jwk;
  const encoder = new TextEncoder();
  const thumbprint = await subtle.digest('SHA-256',
    encoder.encode(JSON.stringify({ crv: 'P-256', kty: 'EC', x, y })));
  if (toBase64url(new Uint8Array(thumbprint)) !== identity) {
    throw new FortnightError('document-identity',
      'The set of hashes is signed by somebody else than the server of this link.');
  }
  let genuine = false;
  try {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const key = await subtle.importKey('jwk', { kty: 'EC', crv: 'P-256', x, y }, algorithm, false, ['verify']);
    genuine = await subtle.verify(algorithm, key, signature, encoder.encode(`${parts[0]}.${parts[1]}`));
  } catch {
    // Not a point of the curve.
  }
  if (!genuine) {
    throw new FortnightError('document-signature', 'The signature of the set of hashes is wrong.');
  }
  const set = parseJson(parts[1]);
  if (!isSound(set)) throw malformed();
  if (!expired && now >= set.valid_until) {
    throw new FortnightError('document-expired',
      `The set of hashes ran out ${duration(now - set.valid_until)} ago.`);
  }
  return set;
}

/**
 * Whether who has |old| is to take |set| instead.
 * @param {HashSet} set
 * @param {HashSet | null | undefined} old
 */
export function isNewer(set, old) {
  if (!old) return true;
  return set.epoch !== old.epoch ? set.epoch > old.epoch : set.seq > old.seq;
}

// ---- What is known of one identity ----

/** @type {Map<string, string>} */
const memory = new Map();

/** @type {KeyValueStore} */
const memoryStore = {
  getItem: (key) => memory.get(key),
  setItem: (key, value) => memory.set(key, value),
};

/** @returns {KeyValueStore} */
function defaultStorage() {
  try {
    // A page may be forbidden to touch it.
    const storage = globalThis.localStorage;
    if (typeof storage?.getItem === 'function') return storage;
  } catch {
    // So it is.
  }
  return memoryStore;
}

/** The hashes of one identity: the newest set, and those that are no more. */
class Book {
  /** @type {HashSet | null} */
  set = null;
  #jws = '';
  /** @type {string[]} */
  #retired = [];
  #link;
  #storage;

  /**
   * @param {Link} link
   * @param {KeyValueStore | null} storage
   */
  constructor(link, storage) {
    this.#link = link;
    this.#storage = storage;
  }

  get #key() { return `fortnight:${this.#link.identity}`; }

  /** Takes what another page has kept since, if it is newer. */
  async load() {
    const { identity } = this.#link;
    if (!this.#storage || identity === null) return;
    try {
      const text = await this.#storage.getItem(this.#key);
      if (typeof text !== 'string' || text.length > 2 * DOCUMENT_MAX) return;
      const kept = JSON.parse(text);
      // Who can write there is not trusted more than anybody else.
      const set = await verifyDocument(kept?.jws, identity, { expired: true });
      if (Array.isArray(kept.retired)) {
        this.#retire(kept.retired.filter((/** @type {unknown} */ it) => fromBase64url(it, 32)));
      }
      if (isNewer(set, this.set)) this.#replace(set, kept.jws);
    } catch {
      // Nothing of use is there.
    }
  }

  async #save() {
    try {
      await this.#storage?.setItem(this.#key,
        JSON.stringify({ v: 1, jws: this.#jws, retired: this.#retired }));
    } catch {
      // Full, or forbidden: it is known until the page goes.
    }
  }

  /** @param {string[]} hashes */
  #retire(hashes) {
    const current = this.set?.hashes.map((it) => it.b64url) ?? [];
    this.#retired = [...new Set([...this.#retired, ...hashes])]
      .filter((it) => !current.includes(it)).slice(-RETIRED_MAX);
  }

  /**
   * @param {HashSet} set
   * @param {string} jws
   */
  #replace(set, jws) {
    const before = this.set?.hashes.map((it) => it.b64url) ?? [];
    this.set = set;
    this.#jws = jws;
    // Of a link, what stood before that which is active now.
    const { hashes } = this.#link;
    this.#retire([...before, ...hashes.slice(0, Math.max(0, hashes.indexOf(set.hashes[0].b64url)))]);
  }

  /**
   * Verifies a document, and keeps it if it is newer.
   * @param {unknown} jws
   * @param {boolean} live  it comes from the server itself: what it does not
   *     name is no more
   * @returns {Promise<boolean>}  whether it was newer
   * @throws {FortnightError}
   */
  async take(jws, live) {
    const { identity, hashes } = this.#link;
    const set = await verifyDocument(jws, identity ?? '');
    await this.load();
    const newer = isNewer(set, this.set);
    if (newer) this.#replace(set, /** @type {string} */ (jws));
    const same = set.epoch === this.set?.epoch && set.seq === this.set.seq;
    if (same && live) this.#retire(hashes);
    if (same) await this.#save();
    if (!same) {
      throw new FortnightError('document-older',
        'The set of hashes is older than the one that is known already.');
    }
    return newer;
  }

  /**
   * Those to connect with, in base64url: of the set, and of the link unless it
   * is known to be the older one.  Nothing that has run out.
   */
  offer() {
    const now = wallClock();
    const of = this.set?.hashes.filter((it) => now < it.not_after).map((it) => it.b64url) ?? [];
    const past = [...this.#retired, .../** @type {string[]} */ (this.set?.hashes.map((it) => it.b64url) ?? [])];
    return [...of, ...this.#link.hashes.filter((it) => !past.includes(it))];
  }

  /** Whether a newer set should be asked for before connecting. */
  isDue() {
    return this.offer().length === 0 || (this.set !== null && wallClock() >= this.set.valid_until
      && this.offer().every((it) => this.set?.hashes.some(({ b64url }) => b64url === it)));
  }
}

// ---- What the surroundings tell ----

const INSECURE = 'This page cannot connect: it was not loaded over https.';

/** How private an address is, as far as its name tells: 0 public or unknown, 1 local, 2 this device. */
function privacyOf(/** @type {string} */ hostname) {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)) return 2;
  if (/^(10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\.[\d.]+$/.test(host)
    || /^f[cd][0-9a-f]{2}:/.test(host) || /^fe[89ab][0-9a-f]:/.test(host)
    || /(^[^.:]+|\.(local|lan|internal|home\.arpa))$/.test(host)) return 1;
  return 0;
}

/**
 * What the browser's user has said about the local network.
 * @param {URL} url
 * @returns {Promise<PermissionState | null>}  null: nobody is asked
 */
async function networkPermission(url) {
  const there = privacyOf(url.hostname);
  const { protocol = '', hostname = '' } = globalThis.location ?? {};
  const here = /^https?:$/.test(protocol) ? privacyOf(hostname) : 0;
  if (there <= here || !globalThis.navigator?.permissions) return null;
  const names = [there === 2 ? 'loopback-network' : 'local-network', 'local-network-access'];
  for (const name of names) {
    try {
      const { state } = await navigator.permissions.query({ name: /** @type {any} */ (name) });
      return state;
    } catch {
      // This browser has no such permission.
    }
  }
  return null;
}

/**
 * By how many seconds this clock is fast (slow, if negative), as another tells.
 * @param {string | URL | null | undefined} time
 * @param {AbortSignal} signal
 * @returns {Promise<number>}  0 if nobody knows
 */
async function clockError(time, signal) {
  const here = globalThis.location?.href;
  const url = time === undefined ? here : time;
  if (!url || (time === undefined && !/^https?:/.test(here ?? ''))) return 0;
  try {
    const before = wallClock();
    const { headers } = await fetch(new URL(url, here), {
      method: 'HEAD', cache: 'no-store', credentials: 'omit',
      signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)]),
    });
    const told = Date.parse(headers.get('date') ?? '') / 1000;
    // The answer is as old as the request at most, and the header is cut off.
    const now = wallClock();
    if (!(told > 0)) return 0;
    return told > now ? now - told : told + 1 < before ? before - told - 1 : 0;
  } catch {
    return 0;
  }
}

/**
 * @param {string | URL} mirror
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 * @throws {FortnightError} `mirror-unreachable`, `document-malformed`
 */
async function fetchMirror(mirror, signal) {
  try {
    const response = await fetch(mirror, {
      cache: 'no-cache', credentials: 'omit', referrerPolicy: 'no-referrer',
      signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)]),
    });
    if (!response.ok || !response.body) throw new Error(`it answered ${response.status}`);
    return (await readText(response.body, 'document-malformed')).trimEnd();
  } catch (error) {
    if (error instanceof FortnightError) throw error;
    throw new FortnightError('mirror-unreachable', 'The mirror does not answer.', { cause: error });
  }
}

/**
 * All of |stream|, but no more than a document may have.
 * @param {ReadableStream<Uint8Array>} stream
 * @param {ErrorCode} code  if it is longer
 */
async function readText(stream, code) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
    if (text.length > DOCUMENT_MAX + 2) {
      reader.cancel().catch(() => {});
      throw new FortnightError(code, 'What came is too long for a signed set of hashes.');
    }
  }
}

// ---- One attempt ----

/**
 * Why one attempt failed, as far as the client tells.
 * @typedef {object} Failure
 * @property {unknown} cause
 * @property {boolean} silent  nothing has come back
 * @property {boolean} blocked  by the page's Content-Security-Policy
 * @property {number} [status]  the server's answer (Deno tells)
 * @property {boolean} [certificate]  it was the certificate (Deno tells)
 */

/**
 * One WebTransport that is ready.
 * @param {string} url
 * @param {string[]} hashes  in base64url
 * @param {{timeout: number, signal: AbortSignal, webTransport?: object}} options
 * @returns {Promise<WebTransport>}  rejected with a Failure
 */
async function open(url, hashes, { timeout, signal, webTransport }) {
  const begun = performance.now();
  let blocked = false;
  /** @param {any} event */
  const onViolation = (event) => {
    if (event.effectiveDirective === 'connect-src' && event.blockedURI?.startsWith(new URL(url).origin)) blocked = true;
  };
  globalThis.document?.addEventListener('securitypolicyviolation', onViolation);
  /** @type {WebTransport | undefined} */
  let native;
  /** @type {() => void} */
  let giveUp = () => {};
  let silent = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  try {
    const wt = native = new WebTransport(url, {
      ...webTransport,
      serverCertificateHashes: hashes.map((it) => (
        { algorithm: 'sha-256', value: /** @type {Uint8Array<ArrayBuffer>} */ (fromBase64url(it)) })),
    });
    wt.closed.catch(() => {});
    await new Promise((resolve, reject) => {
      wt.ready.then(resolve, reject);
      giveUp = () => reject(new Error('given up'));
      signal.addEventListener('abort', giveUp);
      const late = async () => {
        // A person who is being asked takes longer.
        if (await networkPermission(new URL(url)) === 'prompt') return;
        silent = true;
        reject(new Error(`no answer within ${timeout} ms`));
      };
      timer = setTimeout(late, timeout);
      if (signal.aborted) giveUp();
    });
    return wt;
  } catch (cause) {
    try {
      native?.close();
    } catch {
      // It never was open.
    }
    const message = String(/** @type {any} */ (cause)?.message);
    const status = /^expected 200, got: Some\((\d+)\)/.exec(message)?.[1];
    throw /** @satisfies {Failure} */ ({
      cause,
      silent: silent || performance.now() - begun >= SILENCE_MS || /^timed out|failed to lookup/.test(message),
      blocked: blocked || (await turn(), blocked),
      ...(status && { status: Number(status) }),
      ...(/invalid peer certificate/.test(message) && { certificate: true }),
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    globalThis.document?.removeEventListener('securitypolicyviolation', onViolation);
  }
}

/** What is queued already comes first. */
const turn = () => new Promise((resolve) => { setTimeout(resolve, 0); });

/**
 * The streams that a server opens, one after the other.
 *
 * Deno 2.9 stands still when a stream that is not WebTransport's comes first,
 * as HTTP/3's own do: it goes on when it is asked again.
 * @param {ReadableStream<any>} streams
 * @returns {() => Promise<ReadableStreamReadResult<any>>}
 */
function eachOf(streams) {
  const reader = streams.getReader();
  if (!('Deno' in globalThis)) return () => reader.read();
  /** @type {Promise<ReadableStreamReadResult<any>>[]} */
  const asked = [];
  const ask = () => {
    const next = reader.read();
    next.catch(() => {});
    asked.push(next);
  };
  let came = false;
  return async () => {
    if (asked.length === 0) ask();
    for (let ms = 4; !came && asked.length < 16; ms *= 2) {
      const timer = Promise.withResolvers();
      const id = setTimeout(timer.resolve, ms);
      await Promise.race([asked[0].catch(() => {}).then(() => { came = true; }), timer.promise]);
      clearTimeout(id);
      if (!came) ask();
    }
    return /** @type {Promise<ReadableStreamReadResult<any>>} */ (asked.shift());
  };
}

// ---- The transport ----

/**
 * How long to wait before attempt |n| (from 0), in ms: twice as long each time,
 * and half of it by chance, so that not all clients of a server come at once.
 * @param {number} n
 * @param {{first: number, most: number}} limits
 * @param {() => number} [random]
 */
export function backOff(n, { first, most }, random = Math.random) {
  const whole = Math.min(most, first * 2 ** Math.min(n, 30));
  return whole / 2 + random() * whole / 2;
}

/** @type {Required<Omit<Reconnect, 'after'>>} */
const RECONNECT = { first: 500, most: 30_000, tries: Infinity };

/** For the second connection, which nobody waits for. */
const FOLLOW = { first: 1_000, most: 60_000 };

const DATAGRAM_LIMITS = /** @type {const} */ ([
  'incomingMaxAge', 'outgoingMaxAge', 'incomingHighWaterMark', 'outgoingHighWaterMark',
]);

/**
 * A WebTransport as the W3C has it, which outlives a lost connection if it is
 * told to reconnect:
 *
 * - `datagrams`, `incomingBidirectionalStreams` and
 *   `incomingUnidirectionalStreams` go on with the next session; datagrams
 *   that are written in between are lost, as datagrams may be;
 * - `createBidirectionalStream()` and `createUnidirectionalStream()` wait for
 *   a session;
 * - a stream belongs to its session, and ends with it, by an error;
 * - `ready` is resolved by the first session, `closed` is settled when there
 *   will be none any more.
 *
 * Events: `statechange` (detail: `{state, error, retryIn}`; "connected" is told
 * for each session, the place to say hello), and `hashes` (detail: the HashSet)
 * when newer ones were learnt.
 */
export class FortnightTransport extends EventTarget {
  /** The browser's own session, while there is one. @type {WebTransport | null} */
  session = null;
  /** @type {State} */
  state = 'connecting';
  /** @type {Promise<undefined>} */
  ready;
  /** @type {Promise<WebTransportCloseInfo>} */
  closed;

  #options;
  #book = new Book({ url: '', hashes: [], identity: null, mirror: null }, null);
  /** @type {Link | null} */
  #link = null;
  #path = '';
  /** @type {string | null} */
  #mirror = null;
  #ready = /** @type {PromiseWithResolvers<undefined>} */ (Promise.withResolvers());
  #closed = /** @type {PromiseWithResolvers<WebTransportCloseInfo>} */ (Promise.withResolvers());
  /** The next session. @type {PromiseWithResolvers<WebTransport>} */
  #next = Promise.withResolvers();
  /** What waits for the session that is there. @type {Set<() => void>} */
  #waiting = new Set();
  #abort = new AbortController();
  /** @type {WebTransportCloseInfo | null} */
  #closing = null;
  /** @type {WebTransport | null} */
  #feed = null;
  #following = false;
  #ever = false;
  /** Whether it has been looked if the server is there at all. */
  #asked = false;
  /** Where each is. @type {WeakMap<WebTransport, string>} */
  #origins = new WeakMap();
  /** @type {any} */
  #bidirectional;
  /** @type {any} */
  #unidirectional;
  /** @type {any} */
  #datagrams;

  /**
   * @param {string | URL} link
   * @param {ConnectOptions} options
   */
  constructor(link, options) {
    super();
    this.#options = options;
    this.ready = this.#ready.promise;
    this.closed = this.#closed.promise;
    for (const it of [this.ready, this.closed, this.#next.promise]) it.catch(() => {});
    this.#run(link).catch((error) => this.#end(error));
  }

  /** The newest signed set, if one is known. @type {HashSet | null} */
  get hashes() { return this.#book.set; }

  /** The link with the newest hashes, to be handed on. */
  get link() {
    if (!this.#link) return '';
    const { url, hashes, identity, mirror } = this.#link;
    const offer = this.#book.offer();
    const wt = offer.length > 0 ? offer : hashes;
    return `${url}#wt=${wt.join('.')}${identity ? `&id=${identity}` : ''}${
      mirror ? `&mirror=${encodeURIComponent(mirror)}` : ''}`;
  }

  /** @returns {string} */
  get protocol() { return /** @type {any} */ (this.session)?.protocol ?? ''; }

  /** @returns {'pending' | 'reliable-only' | 'supports-unreliable'} */
  get reliability() {
    return /** @type {any} */ (this.session)?.reliability ?? (this.session ? 'supports-unreliable' : 'pending');
  }

  /** @returns {'default' | 'throughput' | 'low-latency'} */
  get congestionControl() { return /** @type {any} */ (this.session)?.congestionControl ?? 'default'; }

  /** @returns {Promise<any>} */
  async getStats() {
    const session = /** @type {any} */ (await this.#connected());
    return session.getStats?.() ?? {};
  }

  /**
   * @param {WebTransportSendStreamOptions} [options]
   * @returns {Promise<WebTransportBidirectionalStream>}
   */
  createBidirectionalStream(options) {
    return this.#create((it) => it.createBidirectionalStream(options));
  }

  /**
   * @param {WebTransportSendStreamOptions} [options]
   * @returns {Promise<WritableStream<Uint8Array>>}
   */
  createUnidirectionalStream(options) {
    return this.#create((it) => it.createUnidirectionalStream(options));
  }

  /** @returns {ReadableStream<WebTransportBidirectionalStream>} */
  get incomingBidirectionalStreams() {
    return this.#bidirectional ??= this.#incoming((it) => eachOf(it.incomingBidirectionalStreams));
  }

  /** @returns {ReadableStream<ReadableStream<Uint8Array>>} */
  get incomingUnidirectionalStreams() {
    return this.#unidirectional ??= this.#incoming((it) => eachOf(it.incomingUnidirectionalStreams));
  }

  /**
   * As the W3C's WebTransportDatagramDuplexStream.
   * @returns {WebTransportDatagramDuplexStream}
   */
  get datagrams() { return this.#datagrams ??= this.#makeDatagrams(); }

  /**
   * Ends it for good.
   * @param {WebTransportCloseInfo} [info]
   */
  close(info = {}) {
    if (this.#closing || this.state === 'closed') return;
    const { session } = this;
    // First: a code or reason that is refused throws, and nothing has changed.
    session?.close(info);
    this.#closing = { closeCode: info.closeCode ?? 0, reason: info.reason ?? '' };
    if (!session) this.#end(null);
    this.#abort.abort();
  }

  // ---- Its life ----

  /** @param {string | URL} text */
  async #run(text) {
    const { path, storage = defaultStorage(), mirror, reconnect = false } = this.#options;
    const link = this.#link = parseLink(text);
    this.#mirror = link.mirror;
    const url = new URL(link.url);
    this.#path = path ?? url.pathname + url.search;
    if (!this.#path.startsWith('/') || this.#path.includes('#')) {
      throw new FortnightError('bad-link', `The path "${this.#path}" does not begin with "/".`);
    }
    if (mirror !== undefined) {
      const at = mirror === null ? null : parseUrl(String(mirror), globalThis.location?.href);
      if (mirror !== null && !at) throw new FortnightError('bad-link', `The mirror "${mirror}" is no address.`);
      this.#mirror = at && at.href;
    }
    this.#book = new Book(link, storage);
    if (typeof WebTransport !== 'function') {
      throw new FortnightError('unsupported', globalThis.isSecureContext === false ? INSECURE
        : 'This browser has no WebTransport. A current Chrome, Edge or Firefox has it.');
    }
    const policy = reconnect === false ? null
      : { ...RECONNECT, after: (/** @type {WebTransportCloseInfo} */ info) => !info.closeCode, ...(reconnect === true ? {} : reconnect) };
    for (let failed = 0; !this.#closing;) {
      /** @type {FortnightError} */
      let error;
      try {
        const info = await this.#serve(await this.#dial(), () => { failed = 0; });
        if (this.#closing || !policy || !policy.after(info)) {
          this.#end(null, this.#closing ?? info);
          return;
        }
        error = new FortnightError('lost', `${url.host} has ended the connection.`, { temporary: true });
      } catch (reason) {
        error = /** @type {FortnightError} */ (reason);
      }
      if (this.#closing || !policy || !error.temporary || failed >= policy.tries) {
        this.#end(this.#closing ? null : error);
        return;
      }
      const ms = backOff(failed++, policy);
      this.#change(this.#ever ? 'reconnecting' : 'connecting', error, ms);
      await this.#pause(ms);
    }
    this.#end(null);
  }

  /**
   * @param {State} state
   * @param {FortnightError | null} [error]
   * @param {number} [retryIn]  ms
   */
  #change(state, error = null, retryIn) {
    this.state = state;
    this.dispatchEvent(new CustomEvent('statechange', { detail: { state, error, retryIn } }));
  }

  /** @param {number} ms */
  #pause(ms) {
    const { signal } = this.#abort;
    return /** @type {Promise<void>} */ (new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        globalThis.removeEventListener?.('online', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      globalThis.addEventListener?.('online', done);
      if (signal.aborted) done();
    }));
  }

  /**
   * From now until |session| ends.
   * @param {WebTransport} session
   * @param {() => void} lasted
   * @returns {Promise<WebTransportCloseInfo>}
   */
  async #serve(session, lasted) {
    if (this.#closing) {
      session.close(this.#closing);
      return this.#closing;
    }
    const { host } = new URL(/** @type {Link} */ (this.#link).url);
    this.session = session;
    this.#ever = this.#asked = true;
    for (const name of DATAGRAM_LIMITS) {
      const value = this.#limits[name];
      if (value !== undefined) /** @type {any} */ (session.datagrams)[name] = value;
    }
    // A server that ends each session at once is none to hurry back to.
    const timer = setTimeout(lasted, RECONNECT.first * 4);
    this.#ready.resolve(undefined);
    this.#next.resolve(session);
    this.#change('connected');
    this.#follow();
    try {
      return await session.closed ?? {};
    } catch (cause) {
      throw new FortnightError('lost', `The connection to ${host} was lost.`, { cause, temporary: true });
    } finally {
      clearTimeout(timer);
      this.session = null;
      if (this.state !== 'closed') {
        this.#next = Promise.withResolvers();
        this.#next.promise.catch(() => {});
      }
      for (const release of this.#waiting) release();
      this.#waiting.clear();
    }
  }

  /**
   * |promise|, or undefined when |session| has gone before: Firefox leaves what
   * waits for a session that was closed without an answer.
   * @template T
   * @param {WebTransport} session
   * @param {Promise<T>} promise
   * @returns {Promise<T | undefined>}
   */
  #during(session, promise) {
    return new Promise((resolve, reject) => {
      const release = () => { resolve(undefined); };
      if (this.session === session) this.#waiting.add(release);
      else release();
      promise.then(resolve, reject).finally(() => { this.#waiting.delete(release); });
    });
  }

  /**
   * @param {unknown} error  null: as it should be
   * @param {WebTransportCloseInfo} [info]
   */
  #end(error, info = this.#closing ?? {}) {
    if (this.state === 'closed') return;
    const known = error === null || error instanceof FortnightError ? error
      : new FortnightError('lost', 'The connection was lost.', { cause: error });
    const over = known ?? new FortnightError('closed', 'The connection is closed.');
    this.#ready.reject(over);
    this.#next.reject(over);
    if (known) this.#closed.reject(known);
    else this.#closed.resolve({ closeCode: info.closeCode ?? 0, reason: info.reason ?? '' });
    this.#change('closed', known);
    this.#abort.abort();
    try {
      this.#feed?.close();
    } catch {
      // It is over.
    }
  }

  // ---- Connecting ----

  /**
   * @returns {Promise<WebTransport>}
   * @throws {FortnightError}
   */
  async #dial() {
    await this.#book.load();
    /** @type {FortnightError | null | undefined} */
    let mirror;
    if (this.#book.isDue()) mirror = await this.#askMirror();
    const tried = new Set();
    /** @type {Failure | null} */
    let failure = null;
    for (;;) {
      const hashes = this.#book.offer();
      for (const origin of this.#addresses()) {
        const attempt = `${origin} ${hashes}`;
        if (hashes.length === 0 || tried.has(attempt)) continue;
        tried.add(attempt);
        try {
          const session = await this.#open(origin + this.#path, hashes);
          this.#origins.set(session, origin);
          return session;
        } catch (reason) {
          failure ??= /** @type {Failure} */ (reason);
        }
        this.#check();
      }
      // Perhaps it knows more than the server's address and hashes of before.
      if (mirror !== undefined) break;
      mirror = await this.#askMirror();
      this.#check();
    }
    throw await this.#diagnose(failure, mirror);
  }

  /** Where the server is: by the link; else where it says itself that it is. */
  #addresses() {
    const linked = new URL(/** @type {Link} */ (this.#link).url);
    const told = new URL(this.#book.set?.url ?? linked);
    // Nobody else's device is meant by "this device".
    return privacyOf(told.hostname) > privacyOf(linked.hostname) ? [linked.origin]
      : [...new Set([linked.origin, told.origin])];
  }

  #check() {
    if (this.#closing) throw new FortnightError('closed', 'The connection is closed.');
  }

  /**
   * @param {string} url
   * @param {string[]} hashes
   * @returns {Promise<WebTransport>}  rejected with a Failure
   */
  async #open(url, hashes) {
    const { timeout = timeoutMs(), webTransport } = this.#options;
    const options = { timeout, signal: this.#abort.signal, webTransport };
    try {
      return await open(url, hashes, options);
    } catch (reason) {
      const { cause, silent, blocked } = /** @type {Failure} */ (reason);
      // Firefox (153) forgets the hashes of a session that it is about to open
      // if some idle TCP connection has had its time in that moment.
      const forgot = /^WebTransport connection rejected/.test(String(/** @type {any} */ (cause)?.message));
      if (!forgot || silent || blocked || this.#closing) throw reason;
      return open(url, hashes, options);
    }
  }

  /** @returns {Promise<FortnightError | null>}  why there is nothing newer; null: there is, or no mirror */
  async #askMirror() {
    const mirror = this.#mirror;
    const { identity } = /** @type {Link} */ (this.#link);
    if (mirror === null || identity === null) return null;
    try {
      const newer = await this.#take(await fetchMirror(mirror, this.#abort.signal), false);
      return newer ? null : new FortnightError('document-older', 'The mirror has the set of hashes that is known already.');
    } catch (error) {
      return /** @type {FortnightError} */ (error);
    }
  }

  /**
   * @param {string} jws
   * @param {boolean} live
   */
  async #take(jws, live) {
    const newer = await this.#book.take(jws, live);
    if (newer) this.dispatchEvent(new CustomEvent('hashes', { detail: this.#book.set }));
    return newer;
  }

  /**
   * @param {Failure | null} failure  null: there was nothing to connect with
   * @param {FortnightError | null} mirror  what is wrong with it
   * @returns {Promise<FortnightError>}
   */
  async #diagnose(failure, mirror) {
    const link = /** @type {Link} */ (this.#link);
    const url = new URL(link.url);
    const { set } = this.#book;
    const cause = mirror ?? failure?.cause;
    const off = await clockError(this.#options.time, this.#abort.signal);
    const now = wallClock();
    // Certificates from the future are from a time before this clock's.
    const early = set && set.hashes.every((it) => it.not_before > now) ? Math.min(0, now - set.issued_at) : 0;
    const wrong = Math.abs(off) > CLOCK_MAX ? off : early;
    if (failure?.blocked) {
      return new FortnightError('page-policy',
        `This page is not allowed to connect to ${url.origin}: its own Content-Security-Policy forbids it.`, { cause });
    }
    if (await networkPermission(url) === 'denied') {
      return new FortnightError('permission-denied', `The browser does not let this page reach ${
        privacyOf(url.hostname) === 2 ? 'other apps on this device' : 'devices on the local network'
      }. Allow it in the settings of this site, to the left of its address, and try again.`, { cause });
    }
    if (wrong && !failure?.status && !failure?.silent) {
      return new FortnightError('clock-wrong', `The clock of this device is ${duration(wrong)} ${
        wrong > 0 ? 'fast' : 'slow'}. Set it, and try again.`, { cause });
    }
    const about = mirrorWords(this.#mirror, mirror);
    if (!failure || failure.certificate) {
      const since = set && now > set.valid_until ? `: what it knows ran out ${duration(now - set.valid_until)} ago` : '';
      return new FortnightError('link-too-old',
        `This link is too old${since}. Ask for a new one.${about}`,
        { cause, maybe: ['clock-wrong'], temporary: mirror !== null });
    }
    if (failure.silent) {
      return new FortnightError('not-reachable', `Nothing answers at ${url.host}. Look whether it is switched on, `
        + 'and whether this device is in a network from which it can be reached.', { cause, temporary: true });
    }
    if (failure.status || (!this.#asked && await this.#isThere())) {
      return new FortnightError('refused', `The server at ${url.host} refuses ${this.#path}${
        failure.status ? ` (${failure.status})` : ''}: it does not serve that, or not to this page, or is full.`,
      { cause, temporary: this.#ever });
    }
    const fresh = set !== null && now < set.valid_until;
    if (fresh) {
      return new FortnightError('not-reachable', `No connection to ${url.host}. Look whether it is switched on; `
        + `if it was set up anew, ask for a new link.${about}`,
      { cause, maybe: ['refused', 'link-too-old'], temporary: true });
    }
    return new FortnightError('no-connection', `No connection to ${url.host}. Either it is switched off, or this link `
      + `is too old: most are good for six days. Look, or ask for a new one.${about}`,
    { cause, maybe: ['not-reachable', 'link-too-old', 'refused'], temporary: true });
  }

  /** Whether the server answers, though not on this path. */
  async #isThere() {
    // Once: a browser makes pages wait that fail too often.
    this.#asked = true;
    if (this.#path === FEED_PATH) return false;
    const { origin } = new URL(/** @type {Link} */ (this.#link).url);
    try {
      (await this.#open(origin + FEED_PATH, this.#book.offer())).close();
      return true;
    } catch {
      return false;
    }
  }

  // ---- Following the server's hashes ----

  async #follow() {
    const { identity } = /** @type {Link} */ (this.#link);
    if (this.#following || this.#options.follow === false || identity === null) return;
    this.#following = true;
    for (let failed = 0; !this.#abort.signal.aborted; failed++) {
      try {
        // To the same address, while that serves.
        const session = await this.#connected();
        const origin = this.#origins.get(session);
        const feed = this.#feed = await this.#open(origin + FEED_PATH, this.#book.offer());
        const next = eachOf(feed.incomingUnidirectionalStreams);
        const over = feed.closed.then(() => null, () => null);
        for (;;) {
          const read = await Promise.race([next(), over]);
          if (!read || read.done) break;
          if (await Promise.race([this.#learn(read.value), over])) failed = 0;
        }
      } catch {
        // It is tried again.
      }
      try {
        this.#feed?.close();
      } catch {
        // It was over.
      }
      this.#feed = null;
      await this.#pause(backOff(failed, FOLLOW));
    }
  }

  /**
   * @param {ReadableStream<Uint8Array>} stream
   * @returns {Promise<boolean>}
   */
  async #learn(stream) {
    try {
      await this.#take(await readText(stream, 'document-malformed'), true);
      return true;
    } catch {
      // Not for us: what is known stays.
      return false;
    }
  }

  // ---- What goes on from session to session ----

  /** @returns {Promise<WebTransport>} */
  #connected() {
    return this.session ? Promise.resolve(this.session) : this.#next.promise;
  }

  /**
   * @template T
   * @param {(session: WebTransport) => Promise<T>} make
   * @returns {Promise<T>}
   */
  async #create(make) {
    for (;;) {
      const session = await this.#connected();
      try {
        return await make(session);
      } catch (error) {
        await turn();
        // The session went in that moment: the next one serves as well.
        if (this.session === session || this.state === 'closed') throw error;
      }
    }
  }

  /**
   * @template T
   * @param {(session: WebTransport) => () => Promise<ReadableStreamReadResult<T>>} read
   * @returns {ReadableStream<T>}
   */
  #incoming(read) {
    /** @type {WebTransport | undefined} */
    let from;
    /** @type {() => Promise<ReadableStreamReadResult<T>>} */
    let next;
    return new ReadableStream({
      pull: async (controller) => {
        for (;;) {
          /** @type {WebTransport} */
          let session;
          try {
            session = await this.#connected();
          } catch (error) {
            if (/** @type {FortnightError} */ (error).code === 'closed') controller.close();
            else controller.error(error);
            return;
          }
          if (session !== from) {
            from = session;
            next = read(session);
          }
          try {
            const read = await this.#during(session, next());
            if (read && !read.done) {
              controller.enqueue(read.value);
              return;
            }
          } catch {
            // As |closed| tells.
          }
          await this.#during(session, new Promise(() => {}));
        }
      },
    }, { highWaterMark: 0 });
  }

  /** @type {Partial<Record<typeof DATAGRAM_LIMITS[number], number | null>>} */
  #limits = {};

  #makeDatagrams() {
    const self = this;
    /** @type {WebTransport | undefined} */
    let to;
    /** @type {WritableStreamDefaultWriter<any>} */
    let writer;
    const duplex = {
      readable: this.#incoming((it) => {
        const reader = it.datagrams.readable.getReader();
        return () => reader.read();
      }),
      writable: new WritableStream({
        write: async (/** @type {any} */ chunk) => {
          // Between two sessions: lost, as on the way.
          if (!self.session && self.#ever && self.state !== 'closed') return;
          const session = await self.#connected();
          if (session !== to) {
            to = session;
            const native = /** @type {any} */ (session.datagrams);
            writer = (native.writable ?? native.createWritable()).getWriter();
          }
          try {
            await self.#during(session, writer.write(chunk));
          } catch (error) {
            await turn();
            if (self.session === session) throw error;
            if (self.state === 'closed') await self.#connected();
          }
        },
      }),
      get maxDatagramSize() { return self.session?.datagrams.maxDatagramSize ?? 1024; },
    };
    for (const name of DATAGRAM_LIMITS) {
      Object.defineProperty(duplex, name, {
        get: () => this.#limits[name] ?? /** @type {any} */ (this.session?.datagrams)?.[name] ?? null,
        set: (value) => {
          this.#limits[name] = value;
          if (this.session) /** @type {any} */ (this.session.datagrams)[name] = value;
        },
      });
    }
    return /** @type {WebTransportDatagramDuplexStream} */ (duplex);
  }
}

/**
 * @param {string | null} mirror
 * @param {FortnightError | null} error
 */
function mirrorWords(mirror, error) {
  if (mirror === null || error === null) return '';
  const { host } = new URL(mirror);
  switch (error.code) {
    case 'mirror-unreachable': return ` (Its mirror at ${host} does not answer.)`;
    case 'document-older': return ` (Its mirror at ${host} knows nothing newer.)`;
    case 'document-expired': return ` (What its mirror at ${host} has is too old as well.)`;
    default: return ` (What its mirror at ${host} has is not from this server, and was not used.)`;
  }
}

/**
 * Connects to the server of |link|.  Never throws: what is wrong, with the link
 * too, rejects `ready` and `closed` with a FortnightError.
 * @param {string | URL} link
 * @param {ConnectOptions} [options]
 * @returns {FortnightTransport}
 */
export function connect(link, options = {}) {
  return new FortnightTransport(link, options);
}
