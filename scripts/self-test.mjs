// SPDX-License-Identifier: Apache-2.0
/**
 * A second Chromium, which knows nothing but a link, connects by it and
 * echoes on every kind; then once more after the certificate was swapped.
 * `make run ARGS=--self-test` runs it; it is for a person who wants to see the
 * whole thing work on their own machine.
 */
import { launchClient, within } from './launch-iwa.mjs';

const STEP_MS = 30_000;

/**
 * @param {string} link
 * @param {object} tools
 * @param {boolean} tools.headless
 * @param {(text: string) => void} tools.say
 * @param {() => Promise<{link: string}>} tools.rotate
 * @returns {Promise<true>} rejected with the first step that fails
 */
export async function selfTest(link, { headless, say, rotate }) {
  const client = await launchClient({ headless });
  const { page } = client;
  const step = async (/** @type {string} */ what, /** @type {Promise<unknown>} */ promise) => {
    await within(STEP_MS, what, promise);
    say(`self-test: ${what}`);
  };
  try {
    await page.evaluate(defineClient);
    const call = (/** @type {string} */ name, /** @type {string} */ argument = '') =>
      page.evaluate(([name, argument]) =>
        /** @type {any} */ (globalThis).client[name](argument), [name, argument]);
    await step('connected by the link', call('connect', link));
    await step('echo on a bidirectional stream', call('bidi', 'first'));
    await step('echo on unidirectional streams', call('uni'));
    await step('echo of datagrams', call('datagram'));
    const published = await rotate();
    await step('swapped; the session goes on', call('bidi', 'first'));
    await step('connected by the new link', call('connect', published.link));
    await step('echo on the new session', call('bidi', 'last'));
    await step('closed', call('close'));
    return true;
  } finally {
    await client.close();
  }
}

/** Runs in the client's page, and defines what the steps call. */
function defineClient() {
  /** @type {any[]} */
  const transports = [];
  const encoder = new TextEncoder();

  /** @param {ReadableStream<Uint8Array>} readable */
  const text = async (readable) => new Response(readable).text();
  /**
   * @param {string} got
   * @param {string} sent
   */
  const expect = (got, sent) => {
    if (got !== sent) throw new Error(`sent ${sent.length} characters, got other ${got.length} back`);
  };
  /** @param {WritableStream<Uint8Array>} writable @param {string} message */
  const send = async (writable, message) => {
    const writer = writable.getWriter();
    await writer.write(encoder.encode(message));
    await writer.close();
  };

  /** @type {any} */ (globalThis).client = {
    /** @param {string} link */
    async connect(link) {
      const url = new URL(link);
      const hashes = (new URLSearchParams(url.hash.slice(1)).get('wt') ?? '').split('.');
      url.hash = '';
      const transport = new /** @type {any} */ (globalThis).WebTransport(url.href, {
        serverCertificateHashes: hashes.map((hash) => ({
          algorithm: 'sha-256',
          value: Uint8Array.from(atob(hash.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)),
        })),
      });
      transport.closed.catch(() => {});
      await transport.ready;
      transports.push(transport);
    },
    /** @param {'first'|'last'} which */
    async bidi(which) {
      const stream = await transports.at(which === 'first' ? 0 : -1).createBidirectionalStream();
      const message = 'bidirectional '.repeat(20_000);
      const [got] = await Promise.all([text(stream.readable), send(stream.writable, message)]);
      expect(got, message);
    },
    async uni() {
      const message = 'unidirectional '.repeat(1000);
      const incoming = transports[0].incomingUnidirectionalStreams.getReader();
      await send(await transports[0].createUnidirectionalStream(), message);
      expect(await text((await incoming.read()).value), message);
      incoming.releaseLock();
    },
    async datagram() {
      const { datagrams } = transports[0];
      const writer = (datagrams.createWritable?.() ?? datagrams.writable).getWriter();
      const reader = datagrams.readable.getReader();
      const message = encoder.encode('datagram');
      // One may be lost, so it is sent until one is back.
      const timer = setInterval(() => writer.write(message), 200);
      await writer.write(message);
      try {
        expect(new TextDecoder().decode((await reader.read()).value), 'datagram');
      } finally {
        clearInterval(timer);
      }
    },
    async close() {
      for (const transport of transports) {
        transport.close({ closeCode: 7, reason: 'self-test' });
        await transport.closed;
      }
    },
  };
}
