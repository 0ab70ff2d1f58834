// SPDX-License-Identifier: Apache-2.0
// Serves the client page on a free port of 127.0.0.1: a secure context, from
// which loopback may be reached without a permission.

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
