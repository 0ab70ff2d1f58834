// SPDX-License-Identifier: Apache-2.0
/**
 * The appliance's /echo once more, by JavaScript through WebTransportServer, so
 * that the whole suite can be run against that:
 *
 *   node tests/browser/main.mjs --server-command 'node tests/browser/script_echo.mjs'
 */
import { parseArgs } from 'node:util';
import { WebTransportServer } from '../../ui/server/webtransport_server.js';
import { defaultControlPath, openControl } from '../../scripts/control-socket.mjs';
import { nodeAppliance } from './node_port.mjs';

/** @typedef {import('../../ui/server/webtransport_server.js').WebTransportSession} Session */

const { values } = parseArgs({ strict: false, options: { port: { type: 'string', default: '0' } } });
const { endpoint, command } = await nodeAppliance();
const server = await WebTransportServer.listen({ endpoint, port: Number(values.port), address: '127.0.0.1',
  ephemeral: true, paths: ['/echo'] });
const path = defaultControlPath(server.port);
const control = await openControl({ path, own: true, onCommand: command });
const { url, link, identity, hashes } = server.certificates;
process.on('SIGTERM', () => server.close());
console.log(`ready ${JSON.stringify({ url, link, identity, seq: 1, pid: process.pid, control: path,
  hashes: hashes.map(({ value: _, algorithm: __, ...hash }) => hash) })}`);
for await (const session of server.sessions) serve(session).catch(() => {});
await control.close();
process.exit(0);

/** @param {Session} session */
async function serve(session) {
  const query = new URL(session.path, 'https://localhost').searchParams;
  await session.accept();
  const code = query.get('close');
  if (code !== null) {
    session.close({ closeCode: Number(code), reason: query.get('reason') ?? '' });
    return;
  }
  session.datagrams.readable.pipeTo(session.datagrams.writable).catch(() => {});
  for (let i = 1; i <= Number(query.get('bidi')); i++) greet(session, `hello ${i}`).catch(() => {});
  for (let i = 1; i <= Number(query.get('uni')); i++) say(session, 'hello').catch(() => {});
  echoUni(session).catch(() => {});
  for await (const { readable, writable } of session.incomingBidirectionalStreams) {
    readable.pipeTo(writable).catch(() => {});
  }
}

/**
 * @param {Session} session
 * @param {string} text
 */
async function greet(session, text) {
  const { readable, writable } = await session.createBidirectionalStream();
  const writer = writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
  await readable.pipeTo(writable);
}

/**
 * @param {Session} session
 * @param {string} text
 */
async function say(session, text) {
  const writer = (await session.createUnidirectionalStream()).getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
}

/** @param {Session} session */
async function echoUni(session) {
  for await (const readable of session.incomingUnidirectionalStreams) {
    session.createUnidirectionalStream().then((writable) => readable.pipeTo(writable)).catch(() => {});
  }
}
