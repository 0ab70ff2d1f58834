// SPDX-License-Identifier: Apache-2.0
// What the tests of ui/client and ui/demo share: a web server for the pages, and
// servers whose clock can be moved.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { extname, join } from 'node:path';
import { Readable } from 'node:stream';
import { makeClock } from '../clock/clock.mjs';
import { makeScratch } from './process.mjs';
import { native } from './servers/native.mjs';
import { ROOT, startServer } from './servers/server.mjs';
import { expect, step } from './step.mjs';

const TYPES = /** @type {Record<string, string>} */ ({
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
});

const PAGE = '<!doctype html><meta charset="utf-8"><title>A page</title>'
  + '<script type="module" src="/tests/browser/client_page.mjs"></script>';

/**
 * @typedef {object} Pages
 * @property {string} origin
 * @property {number} skew  seconds by which its Date header is ahead
 * @property {{status: number, body: string | Buffer, endless?: boolean}} mirror  what
 *     /mirror answers; endless: again and again
 * @property {number} asked  how often it was
 * @property {() => void} close
 */

/**
 * The repository's ui/ and tests/browser/ on a free port of 127.0.0.1, "/" with
 * client_page.mjs, "/strict" with the same that may connect to nobody, and
 * "/mirror".
 * @returns {Promise<Pages>}
 */
export async function servePages() {
  /** @type {Pages} */
  const pages = {
    origin: '', skew: 0, mirror: { status: 404, body: '' }, asked: 0,
    close: () => { server.closeAllConnections(); server.close(); },
  };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    response.setHeader('cache-control', 'no-store');
    // None that is idle: pages.mjs tells why.
    response.setHeader('connection', 'close');
    response.setHeader('date', new Date(Date.now() + 1000 * pages.skew).toUTCString());
    if (pathname === '/' || pathname === '/strict') {
      if (pathname === '/strict') response.setHeader('content-security-policy', "connect-src 'self'");
      response.writeHead(200, { 'content-type': TYPES['.html'] }).end(PAGE);
      return;
    }
    if (pathname === '/mirror') {
      pages.asked++;
      response.writeHead(pages.mirror.status);
      if (!pages.mirror.endless) response.end(pages.mirror.body);
      else Readable.from((function* () { for (;;) yield pages.mirror.body; })()).pipe(response).on('error', () => {});
      return;
    }
    try {
      if (!/^\/(ui|tests\/browser)(\/[a-z_]+)+\.(html|m?js|css)$/.test(pathname)) throw new Error('no such name');
      const body = await readFile(join(ROOT, pathname));
      response.writeHead(200, { 'content-type': TYPES[extname(pathname)] }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await step('serving the pages', new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(null));
  }));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  pages.origin = `http://127.0.0.1:${port}`;
  return pages;
}

/**
 * @typedef {object} Life  a server of one's own
 * @property {import('./servers/server.mjs').Server} server
 * @property {import('../clock/clock.mjs').Clock} clock
 * @property {string} link  at the beginning
 * @property {string} identity
 * @property {(command: string, more?: object) => Promise<any>} ask
 * @property {() => Promise<any>} rotate
 * @property {() => Promise<string>} jws
 */

/**
 * Starts a server, runs |body|, and stops it.  What fails tells what the server
 * has logged.
 * @param {object} options
 * @param {string[]} [options.args]
 * @param {number} [options.offset]  of its clock from the true time, in seconds
 * @param {import('./servers/server.mjs').Kind} [options.kind]
 * @param {(life: Life) => Promise<void>} body
 */
export async function live({ args = ['--ephemeral'], offset = 0, kind = native }, body) {
  const scratch = makeScratch('clock');
  const clock = makeClock(join(scratch.folder, 'clock'));
  clock.set(offset);
  try {
    const server = await startServer(kind, ['--log-level', 'debug', ...(args.includes('--port') ? [] : ['--port', '0']),
      ...(kind === native ? ['--http', 'off'] : []), ...args], clock);
    try {
      const ask = (/** @type {string} */ command, more = {}) => server.command({ command, ...more });
      await body({
        server, clock, link: server.ready.link, identity: server.ready.identity, ask,
        rotate: () => ask('rotate', { force: true }),
        jws: async () => (await ask('hashes', { form: 'jws' })).text,
      });
      await server.stop();
    } catch (error) {
      throw new Error(`${/** @type {Error} */ (error).message}; the server:\n${server.running.stderr()}`, { cause: error });
    } finally {
      server.running.scratch.remove();
    }
  } finally {
    clock.close();
    scratch.remove();
  }
}

/**
 * A UDP port on which nobody serves: silent, or closed again.
 * @param {boolean} silent
 */
export async function nobody(silent) {
  const socket = createSocket('udp4');
  await step('binding a port', new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.bind(0, '127.0.0.1', () => resolve(null));
  }));
  const { port } = socket.address();
  if (!silent) socket.close();
  return { port, close: () => { if (silent) socket.close(); } };
}

/**
 * @param {import('./clients/client.mjs').Client} client
 * @param {string} name  a case of client_page.mjs
 * @param {object} [params]
 * @param {number} [ms]
 * @returns {Promise<any>}
 */
export async function ask(client, name, params = {}, ms = 40_000) {
  const reply = await step(`${client.name}: ${name}`, client.run(name, params), ms);
  expect(reply.ok, reply.error ?? 'no answer');
  return reply.result;
}

/**
 * DER of one value.
 * @param {number} tag
 * @param {...(Uint8Array | number[])} parts
 */
function der(tag, ...parts) {
  const body = Buffer.concat(parts.map((it) => Uint8Array.from(it)));
  const n = body.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return Buffer.concat([Uint8Array.from([tag, ...length]), body]);
}

/** A certificate for a web server on 127.0.0.1, signed by itself, good for a day. */
export function makeCertificate() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const time = (/** @type {number} */ ms) => der(0x17,
    Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]|\..*/g, '').slice(2)}Z`));
  const ecdsa = der(0x30, [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]);
  const name = der(0x30, der(0x31, der(0x30, [0x06, 3, 0x55, 4, 3], der(0x0c, Buffer.from('mirror')))));
  const san = der(0x30, [0x06, 3, 0x55, 0x1d, 0x11], der(0x04, der(0x30, [0x87, 4, 127, 0, 0, 1])));
  const tbs = der(0x30, [0xa0, 3, 2, 1, 2], der(0x02, [1, ...randomBytes(8)]), ecdsa, name,
    der(0x30, time(Date.now() - 3_600_000), time(Date.now() + 86_400_000)), name,
    publicKey.export({ type: 'spki', format: 'der' }), der(0xa3, der(0x30, san)));
  const signature = sign('sha256', tbs, privateKey);
  const base64 = der(0x30, tbs, ecdsa, der(0x03, [0], signature)).toString('base64');
  return {
    pem: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}

/**
 * A mirror that has |body|, by https.
 * @param {ReturnType<typeof makeCertificate>} certificate
 * @param {string} body
 */
export async function serveMirror({ pem, key }, body) {
  let asked = 0;
  const server = createSecureServer({ cert: pem, key }, (request, response) => {
    asked++;
    response.writeHead(200, { 'access-control-allow-origin': '*' }).end(body);
  });
  await step('serving the mirror', new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve(null)); }));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `https://127.0.0.1:${port}/hashes.json`,
    asked: () => asked,
    close: () => { server.closeAllConnections(); server.close(); },
  };
}
