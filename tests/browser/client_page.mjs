// SPDX-License-Identifier: Apache-2.0
// What a page does with ui/client/fortnight.js, told what to do by the tests:
// the same module in Chromium, Firefox and Deno.  In Deno it is the program:
// one JSON line in, one JSON line out.

import { connect, FortnightError } from '../../ui/client/fortnight.js';

/** @typedef {import('../../ui/client/fortnight.js').FortnightTransport} Transport */

/**
 * @typedef {object} Held
 * @property {Transport} transport
 * @property {any[]} told     its statechange events
 * @property {string[]} came  what datagrams said
 */

/** @type {Map<string, Held>} */
const all = new Map();

/** @param {string} id */
function held(id) {
  const it = all.get(id);
  if (!it) throw new Error(`there is no transport ${id}`);
  return it;
}

/**
 * @param {Transport} transport
 * @param {string} name
 * @param {() => any} probe
 */
function when(transport, name, probe) {
  return new Promise((resolve) => {
    const look = () => {
      const value = probe();
      if (!value) return;
      transport.removeEventListener(name, look);
      resolve(value);
    };
    transport.addEventListener(name, look);
    look();
  });
}

/** @param {any} error */
const tell = (error) => ({
  ours: error instanceof FortnightError, code: error?.code, message: error?.message, maybe: error?.maybe,
  temporary: error?.temporary, cause: error?.cause instanceof FortnightError ? error.cause.code : undefined,
});

/** A store that is not localStorage, and asynchronous. */
const store = {
  /** @type {Map<string, string>} */
  map: new Map(),
  getItem: async (/** @type {string} */ key) => store.map.get(key) ?? null,
  setItem: async (/** @type {string} */ key, /** @type {string} */ value) => { store.map.set(key, value); },
};

/** @param {any} options */
const withStore = ({ own, ...options }) => (own ? { ...options, storage: store } : options);

/** @type {Record<string, (params: any) => unknown>} */
const CASES = {
  /** @param {{id: string, link: string, options?: any}} params */
  async connect({ id, link, options = {} }) {
    const transport = connect(link, withStore(options));
    /** @type {any[]} */
    const told = [];
    transport.addEventListener('statechange', (event) => {
      const { state, error, retryIn } = /** @type {CustomEvent} */ (event).detail;
      told.push({ state, retryIn, ...(error && { code: error.code, message: error.message }) });
    });
    all.set(id, { transport, told, came: [] });
    if (options.later) return;
    await transport.ready;
  },

  /** @param {{link: string, options?: any}} params  how it fails */
  async fails({ link, options = {} }) {
    const transport = connect(link, withStore(options));
    const closed = transport.closed.then(() => ({}), tell);
    try {
      await transport.ready;
    } catch (error) {
      const it = tell(error);
      if (JSON.stringify(await closed) !== JSON.stringify(it)) throw new Error('closed tells something else than ready');
      return it;
    }
    transport.close();
    throw new Error('it is connected');
  },

  /** @param {{id: string, text: string}} params  a stream there and back, in Deno too */
  async echo({ id, text }) {
    const { readable, writable } = await held(id).transport.createBidirectionalStream();
    const writer = writable.getWriter();
    const octets = new TextEncoder().encode(text);
    await writer.write(octets);
    writer.close().catch(() => {});
    const reader = readable.getReader();
    let back = '';
    const decoder = new TextDecoder();
    while (back.length < text.length) {
      const { value, done } = await reader.read();
      if (done) break;
      back += decoder.decode(value, { stream: true });
    }
    return back;
  },

  /** @param {{id: string, text: string}} params  written again until it comes back */
  async datagram({ id, text }) {
    const it = held(id);
    const { datagrams } = it.transport;
    if (!it.came.length) {
      it.came.push('');
      (async () => {
        const reader = datagrams.readable.getReader();
        for (;;) {
          const { value, done } = await reader.read();
          if (done) return;
          it.came.push(new TextDecoder().decode(value));
        }
      })().catch(() => {});
    }
    const writer = datagrams.writable.getWriter();
    try {
      for (let n = 0; !it.came.includes(text); n++) {
        if (n > 500) throw new Error(`no datagram came back: ${it.came}`);
        await writer.write(new TextEncoder().encode(text));
        await new Promise((resolve) => { setTimeout(resolve, 20); });
      }
    } finally {
      writer.releaseLock();
    }
    return datagrams.maxDatagramSize;
  },

  /** @param {{id: string, n: number}} params  what |n| streams of the server say */
  async incoming({ id, n }) {
    const reader = held(id).transport.incomingUnidirectionalStreams.getReader();
    const said = [];
    while (said.length < n) {
      const { value, done } = await reader.read();
      if (done || !value) throw new Error('no more streams');
      said.push(await new Response(value).text());
    }
    reader.releaseLock();
    return said;
  },

  /** @param {{id: string, n: number}} params  until there were |n| sessions */
  sessions: ({ id, n }) => when(held(id).transport, 'statechange',
    () => held(id).told.filter((it) => it.state === 'connected').length >= n),

  /** @param {{id: string, code: string}} params  until such an error was told */
  trouble: ({ id, code }) => when(held(id).transport, 'statechange',
    () => held(id).told.find((it) => it.code === code)),

  /** @param {{id: string, hex: string}} params  until the set has this as its active hash */
  learns: ({ id, hex }) => when(held(id).transport, 'hashes',
    () => held(id).transport.hashes?.hashes[0].hex === hex),

  /** @param {{id: string}} params */
  look({ id }) {
    const { transport, told } = held(id);
    const { state, link, hashes, reliability, protocol } = transport;
    return { state, link, hashes, told, reliability, protocol, native: transport.session instanceof WebTransport };
  },

  /** @param {{id: string, closeCode?: number, reason?: string}} params */
  async close({ id, closeCode, reason }) {
    const { transport } = held(id);
    transport.close(closeCode === undefined ? undefined : { closeCode, reason });
    all.delete(id);
    return transport.closed;
  },

  /** @param {{id: string}} params  how it ends */
  async ends({ id }) {
    return held(id).transport.closed.then((info) => ({ info }), tell);
  },

  /** What is kept; |value| puts something else there. */
  async kept({ key, value, own }) {
    const storage = own ? store : globalThis.localStorage;
    if (value !== undefined) await storage.setItem(key, value);
    return storage.getItem(key);
  },
};

/**
 * @param {string} name
 * @param {any} params
 */
export async function answer(name, params) {
  try {
    return { ok: true, result: await CASES[name](params) ?? null };
  } catch (error) {
    const { code, message } = /** @type {any} */ (error);
    return { ok: false, error: `${name}: ${code ?? ''} ${message}` };
  }
}

/** @type {any} */
const deno = /** @type {any} */ (globalThis).Deno;
if (deno) {
  const encoder = new TextEncoder();
  let rest = '';
  for await (const chunk of deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      const { id, name, params } = JSON.parse(line);
      answer(name, params).then((reply) => deno.stdout.write(
        encoder.encode(`${JSON.stringify({ id, ...reply })}\n`)));
    }
  }
  deno.exit(0);
} else {
  Object.assign(globalThis, { answer });
  document.title = 'ready';
}
