// SPDX-License-Identifier: Apache-2.0
// What JavaScript serves in the bench, on Node and on the web app's page: what
// the appliance's own /echo and /source do.  It is served to the page as it is.

/* Whole periods, so that it can follow itself. */
const BLOCK = new Uint8Array(256 * 251).map((_, i) => i % 251);

/** @param {import('../../ui/server/webtransport_server.js').WebTransportServer} server */
export async function serveScript(server) {
  for await (const session of server.sessions) {
    const serve = session.path.startsWith('/source') ? source : echo;
    session.accept().then(() => serve(session)).catch(() => {});
  }
}

/** @param {import('../../ui/server/webtransport_server.js').WebTransportSession} session */
async function echo({ datagrams, incomingBidirectionalStreams }) {
  datagrams.readable.pipeTo(datagrams.writable).catch(() => {});
  for await (const { readable, writable } of incomingBidirectionalStreams) {
    readable.pipeTo(writable).catch(() => {});
  }
}

/** @param {import('../../ui/server/webtransport_server.js').WebTransportSession} session */
async function source({ incomingBidirectionalStreams }) {
  for await (const { writable } of incomingBidirectionalStreams) {
    const writer = writable.getWriter();
    (async () => {
      for (;;) await writer.write(BLOCK);
    })().catch(() => {});
  }
}
