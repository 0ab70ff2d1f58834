// SPDX-License-Identifier: Apache-2.0
// Serves the client page on a free port of 127.0.0.1: a secure context, from
// which loopback may be reached without a permission.
//
// No connection of it is ever idle.  Firefox (153) looks through its table of
// connections when an idle TCP connection has had its time, and throws out
// every entry that has no connection; also that of a WebTransport session whose
// hashes it has just put there, but whose request is still on its way from
// another thread (3 ms).  The certificate is then checked as any other is, and
// refused ("WebTransport connection rejected").

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

const TYPES = /** @type {Record<string, string>} */ ({
  '.html': 'text/html; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
});

const FOLDER = new URL('page/', import.meta.url);

/** @returns {Promise<{origin: string, close: () => void}>} */
export function servePages() {
  const server = createServer(async (request, response) => {
    response.setHeader('connection', 'close');
    const name = (request.url ?? '/').slice(1) || 'index.html';
    try {
      if (!/^[a-z]+\.(html|mjs)$/.test(name)) throw new Error('no such name');
      const body = await readFile(new URL(name, FOLDER));
      response.writeHead(200, {
        'content-type': TYPES[extname(name)], 'cache-control': 'no-store',
      }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      resolve({
        origin: `http://127.0.0.1:${port}`,
        close: () => { server.closeAllConnections(); server.close(); },
      });
    });
  });
}
