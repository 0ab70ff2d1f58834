// SPDX-License-Identifier: Apache-2.0
// Notes that several browsers share.  A client opens a bidirectional stream for
// each request, writes {"set": NAME, "to": VALUE} or {"get": NAME}, and reads
// the answer; a datagram tells all others the name of a note that has changed.
import { WebTransportServer } from '../../server/webtransport_server.js';

/** @typedef {import('../../server/webtransport_server.js').WebTransportSession} Session */

/** @type {Map<string, unknown>} */
const notes = new Map();
/** @type {Set<Session>} */
const sessions = new Set();

const server = await WebTransportServer.listen({ port: 0, paths: ['/notes'] });
const show = () => { document.body.textContent = `Open ${server.certificates.link}`; };
server.certificates.addEventListener('change', show);
show();
Object.assign(globalThis, { fortnight: server }); // for the console
for await (const session of server.sessions) serve(session).catch(console.warn);

/** @param {Session} session */
async function serve(session) {
  await session.accept();
  sessions.add(session);
  session.closed.catch(() => {}).then(() => sessions.delete(session));
  for await (const { readable, writable } of session.incomingBidirectionalStreams) {
    answer(session, readable, writable).catch(console.warn);
  }
}

/** @type {(session: Session, readable: ReadableStream<BufferSource>, writable: WritableStream) => Promise<void>} */
async function answer(session, readable, writable) {
  const { get, set, to } = await new Response(readable).json();
  if (set !== undefined) notes.set(set, to);
  await new Response(JSON.stringify({ is: notes.get(set ?? get) ?? null })).body?.pipeTo(writable);
  for (const other of set === undefined ? [] : sessions) {
    if (other === session) continue;
    const writer = other.datagrams.writable.getWriter();
    writer.write(new TextEncoder().encode(set));
    writer.releaseLock();
  }
}
