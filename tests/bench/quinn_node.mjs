// SPDX-License-Identifier: Apache-2.0
/**
 * quinn as a server: the Rust of @moq/web-transport in Node.js.
 *
 *   node quinn_node.mjs CERT KEY
 *
 * The same paths as the appliance's: /echo, /sink, /source?bytes=N for each
 * bidirectional stream.  What has to be done for an octet is done in pieces as
 * large as they come, so that JavaScript has little part in it.
 */
import { readFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createRequire } from 'node:module';

/* Octets of a read, and of a write. */
const PIECE = 1 << 20;

const { NapiServer } = createRequire(import.meta.url)('@moq/web-transport-linux-x64-gnu');

/** Octets of the source, from any position below 251. */
const SOURCE = Buffer.from(Uint8Array.from({ length: PIECE + 251 }, (_, i) => i % 251));

/** @param {any} recv @param {any} send */
async function echo(recv, send) {
  for (let data = await recv.read(PIECE); data !== null; data = await recv.read(PIECE)) {
    await send.write(data);
  }
  await send.finish();
}

/** @param {any} recv @param {any} send */
async function sink(recv, send) {
  let total = 0;
  for (let data = await recv.read(PIECE); data !== null; data = await recv.read(PIECE)) {
    total += data.length;
  }
  await send.write(Buffer.from(String(total)));
  await send.finish();
}

/** @param {any} send @param {number} bytes */
async function source(send, bytes) {
  for (let done = 0; done < bytes;) {
    const n = Math.min(PIECE, bytes - done);
    await send.write(SOURCE.subarray(done % 251, done % 251 + n));
    done += n;
  }
  await send.finish();
}

/** @param {any} session */
async function datagrams(session) {
  for (;;) session.sendDatagram(await session.recvDatagram());
}

/** A stream or a session that ends early is the peer's affair. */
const over = () => {};

/** @param {any} request */
async function serve(request) {
  const url = new URL(await request.url);
  const session = await request.ok();
  const bytes = Number(url.searchParams.get('bytes') ?? 0) || Infinity;
  if (url.pathname === '/echo') datagrams(session).catch(over);
  for (;;) {
    const stream = await session.acceptBi();
    const recv = stream.takeRecv();
    const send = stream.takeSend();
    if (url.pathname === '/sink') sink(recv, send).catch(over);
    else if (url.pathname === '/source') source(send, bytes).catch(over);
    else echo(recv, send).catch(over);
  }
}

/** The binding does not tell which port it has got. */
async function freePort() {
  const socket = createSocket('udp4');
  await new Promise((/** @type {(value?: undefined) => void} */ done) => {
    socket.bind(0, '127.0.0.1', () => done());
  });
  const { port } = socket.address();
  await new Promise((/** @type {(value?: undefined) => void} */ done) => {
    socket.close(() => done());
  });
  return port;
}

const port = await freePort();
const [cert, key] = process.argv.slice(2).map((path) => readFileSync(path));
const server = NapiServer.bind(`127.0.0.1:${port}`, cert, key);
console.log(`ready ${JSON.stringify({ url: `https://127.0.0.1:${port}/echo`, hashes: [] })}`);
for (let request = await server.accept(); request; request = await server.accept()) {
  serve(request).catch(over);
}
