// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { Mirror } from './mirror.js';

/**
 * A server that takes what is put to it.
 * @param {import('node:test').TestContext} t
 * @param {(n: number) => number} status of the answer to the nth request
 */
async function listen(t, status) {
  /** @type {string[]} */
  const taken = [];
  /** @type {(value?: unknown) => void} */
  let more = () => {};
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    taken.push(`${request.method} ${request.headers['content-type']} ${body}`);
    response.writeHead(status(taken.length)).end();
    more();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/hashes.jws`,
    taken,
    /** @param {number} n */
    until: async (n) => {
      while (taken.length < n) await new Promise((resolve) => { more = resolve; });
    },
  };
}

/** @param {() => boolean} condition */
async function becomes(condition) {
  while (!condition()) await new Promise((resolve) => { setImmediate(resolve); });
}

test('each document is put, the newest alone if they come fast', { timeout: 5000 }, async (t) => {
  const server = await listen(t, () => 204);
  const mirror = new Mirror({ url: server.url, tell: () => assert.fail('told') });
  mirror.publish('one');
  mirror.publish('two');
  mirror.publish('three');
  await server.until(2);
  mirror.publish('');
  await server.until(3);
  assert.deepEqual(server.taken, ['PUT application/jose one', 'PUT application/jose three', 'PUT application/jose ']);
  mirror.close();
});

test('what fails is told once, tried again, and told when it is well', { timeout: 5000 }, async (t) => {
  const server = await listen(t, (n) => (n < 4 ? 503 : 200));
  /** @type {string[]} */
  const told = [];
  const mirror = new Mirror({ url: server.url, delays: [1, 2], tell: (level, text) => told.push(`${level}: ${text}`) });
  mirror.publish('one');
  await server.until(4);
  await becomes(() => told.length === 2);
  assert.deepEqual(told, [
    'warning: the mirror did not take the hashes: it answered 503; it is tried again',
    'info: the mirror has the hashes again',
  ]);
  mirror.publish('two');
  await server.until(5);
  assert.equal(server.taken.at(-1), 'PUT application/jose two');
  mirror.close();
});

test('nobody there; and no try after the end', { timeout: 5000 }, async (t) => {
  const server = await listen(t, () => 500);
  /** @type {string[]} */
  const told = [];
  const tell = (/** @type {string} */ _, /** @type {string} */ text) => told.push(text);
  const nobody = new Mirror({ url: 'http://127.0.0.1:1/', tell });
  nobody.publish('one');
  await becomes(() => told.length === 1);
  nobody.close();
  const failing = new Mirror({ url: server.url, delays: [1], tell });
  failing.publish('one');
  await server.until(2);
  failing.close();
  failing.publish('two');
  await becomes(() => told.length === 2);
  assert.ok(!server.taken.some((request) => request.endsWith('two')));
});
