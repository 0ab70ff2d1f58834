// SPDX-License-Identifier: Apache-2.0
//
// The Node half of the conformance table, and what only this class can show.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { UDPSocket } from './udp_socket.mjs';
import { ROWS, observe } from './udp_socket_table.mjs';

const EXPECTED = /** @type {Record<string, string>} */ (JSON.parse(
  readFileSync(new URL('./udp_socket_expected.json', import.meta.url),
    'utf8')));

const bound = { localAddress: '127.0.0.1' };

test('the table has an expectation for each row', () => {
  assert.deepEqual([...ROWS.keys()].sort(), Object.keys(EXPECTED).sort());
});

test('Node does what Chromium does', { timeout: 60_000 }, async (t) => {
  const results = await observe(UDPSocket);
  for (const name of ROWS.keys()) {
    await t.test(name, () => assert.equal(results[name], EXPECTED[name]));
  }
});

test('what nobody reads is bounded, and keeps its order',
  { timeout: 20_000 }, async () => {
    const receiver = new UDPSocket(bound);
    const { readable, localPort } = await receiver.opened;
    const sender = new UDPSocket(bound);
    const { writable } = await sender.opened;
    const writer = writable.getWriter();
    const target = { remoteAddress: '127.0.0.1', remotePort: localPort };
    const turn = () => new Promise((done) => {
      setImmediate(done);
    });
    const data = new Uint8Array(1000);
    const view = new DataView(data.buffer);
    const last = 2000;
    for (let i = 0; i < last; i++) {
      view.setUint32(0, i);
      await writer.write({ data, ...target });
      // Sends settle without a turn of the event loop; what comes does not.
      await turn();
    }
    const reader = readable.getReader();
    const numbers = [];
    for (;;) {
      view.setUint32(0, last);
      await writer.write({ data, ...target });
      const { value } = await reader.read();
      const octets = /** @type {Uint8Array} */ (value?.data);
      const number =
        new DataView(octets.buffer, octets.byteOffset).getUint32(0);
      if (number === last) {
        break;
      }
      numbers.push(number);
      await turn();
    }
    // The readable's 32, then twice a kernel's buffer of 212992 octets with
    // 1512 for each.
    assert.deepEqual(numbers, numbers.map((_, i) => i));
    assert.ok(numbers.length > 32 + 200 && numbers.length < 32 + 300,
      `${numbers.length}`);
    reader.releaseLock();
    writer.releaseLock();
    await receiver.close();
    await sender.close();
  });

test('a write copies what it is given', { timeout: 20_000 }, async () => {
  const socket = new UDPSocket(bound);
  const { readable, writable, localPort } = await socket.opened;
  const writer = writable.getWriter();
  const reader = readable.getReader();
  // The first may be under way at once; the second has to wait its turn.
  const data = new Uint8Array([1]);
  const target = { remoteAddress: '127.0.0.1', remotePort: localPort };
  const first = writer.write({ data, ...target });
  data[0] = 2;
  await first;
  const { value } = await reader.read();
  assert.deepEqual([.../** @type {Uint8Array} */ (value?.data)], [1]);
  writer.releaseLock();
  reader.releaseLock();
  await socket.close();
});

test('a closed port is free', { timeout: 20_000 }, async () => {
  const first = new UDPSocket(bound);
  const { localPort } = await first.opened;
  await first.close();
  for (let i = 0; i < 10; i++) {
    const again = new UDPSocket({ ...bound, localPort });
    assert.equal((await again.opened).localPort, localPort);
    await again.close();
  }
});

test('each option is read once', async () => {
  let reads = 0;
  const socket = new UDPSocket({
    get localAddress() {
      reads++;
      return '127.0.0.1';
    },
  });
  await socket.opened;
  await socket.close();
  assert.equal(reads, 1);
});
