// SPDX-License-Identifier: Apache-2.0
/**
 * quinn as a server: Deno's QUIC, and its WebTransport upon that.
 *
 *   deno run -A --unstable-net quinn_deno.mjs CERT KEY
 *
 * The same paths as the appliance's: /echo, /sink, /source?bytes=N for each
 * bidirectional stream.  Deno 2.9 sends no FIN (tests/browser/clients/
 * deno.mjs), so streams without an end are all that it can be measured with.
 */

/* Octets of a write. */
const PIECE = 1 << 20;

/** @type {any} */
const deno = /** @type {any} */ (globalThis).Deno;

/** Octets of the source, from any position below 251. */
const SOURCE = Uint8Array.from({ length: PIECE + 251 }, (_, i) => i % 251);

/** @param {WritableStream} writable @param {number} bytes */
async function source(writable, bytes) {
  const writer = writable.getWriter();
  for (let done = 0; done < bytes;) {
    const n = Math.min(PIECE, bytes - done);
    await writer.write(SOURCE.subarray(done % 251, done % 251 + n));
    done += n;
  }
  await writer.close();
}

/**
 * The answer's half is kept as long: quinn ends one that is collected.
 * @param {ReadableStream} readable
 * @param {WritableStream} writable
 */
async function sink(readable, writable) {
  const reader = readable.getReader();
  let total = 0;
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    total += value.length;
  }
  const writer = writable.getWriter();
  await writer.write(new TextEncoder().encode(String(total)));
  await writer.close();
}

/** A stream or a session that ends early is the peer's affair. */
const over = () => {};

/** @param {any} incoming */
async function serve(incoming) {
  const session = await deno.upgradeWebTransport(await incoming.accept());
  await session.ready;
  const url = new URL(session.url, 'https://localhost');
  const bytes = Number(url.searchParams.get('bytes') ?? 0) || Infinity;
  session.closed.catch(over);
  if (url.pathname === '/echo') {
    session.datagrams.readable.pipeTo(session.datagrams.writable).catch(over);
  }
  for await (const { readable, writable } of session.incomingBidirectionalStreams) {
    if (url.pathname === '/sink') sink(readable, writable).catch(over);
    else if (url.pathname === '/source') source(writable, bytes).catch(over);
    else readable.pipeTo(writable).catch(over);
  }
}

const [cert, key] = deno.args.map((/** @type {string} */ path) => deno.readTextFileSync(path));
const endpoint = new deno.QuicEndpoint({ hostname: '127.0.0.1', port: 0 });
const listener = endpoint.listen({ cert, key, alpnProtocols: ['h3'] });
console.log(`ready ${JSON.stringify(
  { url: `https://127.0.0.1:${endpoint.addr.port}/echo`, hashes: [] })}`);
for await (const incoming of listener) serve(incoming).catch(over);
