// SPDX-License-Identifier: Apache-2.0
// What a client does in each case, written against the W3C WebTransport API
// and nothing else: the same module runs in Chromium, Firefox and Deno.
//
// The runner calls answer(name, params) and gets JSON back.  Every wait goes
// through step(), so a wait that never ends names itself.  Where a client is
// known not to do a thing, the runner does not ask for it; the one exception
// is |params.fin|: false where a client cannot end a stream, in which case
// octets are counted and the end is not waited for.

import {
  accept,
  all,
  bidiEcho,
  close,
  datagramEcho,
  datagrams,
  decode,
  encode,
  expect,
  expectSame,
  join,
  Octets,
  open,
  pattern,
  refused,
  rejection,
  send,
  session,
  setStepMs,
  step,
  streamError,
  verified,
  WRONG,
} from './tools.mjs';

/**
 * What every case gets.
 * @typedef {object} Params
 * @property {string} url        where to connect to
 * @property {string[]} hashes   SHA-256 of the certificates to accept, in hex
 * @property {boolean} fin       whether this client can end its streams
 * @property {number} stepMs     how long one step may take
 */

/** @typedef {{ok: boolean, result?: any, error?: string}} Answer */

/** Sessions that live longer than one call. */
/** @type {Map<string, {wt: WebTransport, writer: any, echoed: Octets, flow: ReturnType<typeof datagrams>, rounds: number}>} */
const held = new Map();

/** @param {string} id */
function heldSession(id) {
  const it = held.get(id);
  if (!it) throw new Error(`no session is held as ${id}`);
  return it;
}

/** @type {Map<string, {wt: WebTransport, streams: ReadableStreamDefaultReader<any>}>} */
const feeds = new Map();

/** @param {string} id */
function feedOf(id) {
  const it = feeds.get(id);
  if (!it) throw new Error(`no feed is open as ${id}`);
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

  /** One session. */
  connect: (/** @type {Params} */ params) =>
    session(params, '', (wt) => bidiEcho(wt, params, 10, 0)),

  /** None of the hashes is that of what is served. */
  refused: (/** @type {Params} */ params) =>
    refused(params.url, params.hashes, 'connecting'),

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

  /**
   * The server ends it: what wt.closed says, or null if it was rejected.
   * @param {Params & {id: string}} params
   */
  over: async (params) => {
    const { wt } = heldSession(params.id);
    const info = await step('the held session ends', wt.closed.then(
      ({ closeCode, reason }) => ({ closeCode, reason }), () => null));
    held.delete(params.id);
    return info;
  },

  /** @param {Params & {id: string}} params  what the server publishes, from now on */
  'feed-open': async (params) => {
    const wt = await open(new URL('/.fortnight/hashes', params.url).href, params.hashes,
      'connecting to the feed');
    feeds.set(params.id, { wt, streams: wt.incomingUnidirectionalStreams.getReader() });
  },

  /**
   * The next document, verified.
   * @param {Params & {id: string, identity: string}} params
   */
  'feed-next': async (params) => {
    const { value, done } = await step('a document comes', feedOf(params.id).streams.read());
    expect(!done, 'no more documents');
    const text = decode(await new Octets(value, 'the document').all());
    return { text, set: await verified(text, params.identity) };
  },

  'feed-close': async (/** @type {Params & {id: string}} */ params) => {
    await close(feedOf(params.id).wt, 'closing the feed');
    feeds.delete(params.id);
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
  setStepMs(params.stepMs);
  try {
    if (!(name in CASES)) throw new Error(`no such case: ${name}`);
    return { ok: true, result: (await CASES[name](params)) ?? null };
  } catch (error) {
    return { ok: false, error: /** @type {Error} */ (error).message };
  }
}
