// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Throughput } from './throughput.js';

/**
 * @param {number} received
 * @param {number} sent
 */
const counters = (received, sent) => ({ octets_received: received, octets_sent: sent });

test('rates are differences by the time between', () => {
  const throughput = new Throughput();
  throughput.add(0, counters(100, 200), 0);
  assert.deepEqual(throughput.times, []);
  throughput.add(2000, counters(300, 1200), 3);
  assert.deepEqual([throughput.times, throughput.received, throughput.sent, throughput.sessions],
    [[2], [100], [500], [3]]);
  // Out of turn: it counts with the next.
  throughput.add(2100, counters(400, 1200), 3);
  throughput.add(3000, counters(500, 1200), 2);
  assert.deepEqual([throughput.received, throughput.sent, throughput.sessions], [[100, 200], [500, 0], [3, 2]]);
});

test('a new run begins at 0, and draws no spike', () => {
  const throughput = new Throughput();
  throughput.add(0, counters(0, 0), 0);
  throughput.add(1000, counters(1e9, 1e9), 0);
  throughput.stop();
  throughput.add(2000, counters(50, 50), 0);
  throughput.add(3000, counters(60, 60), 0);
  assert.deepEqual(throughput.received, [1e9, 10]);
});

test('two minutes of it', () => {
  const throughput = new Throughput();
  for (let i = 0; i < 200; i++) throughput.add(i * 1000, counters(i, i), 0);
  assert.equal(throughput.times.length, 120);
  assert.equal(throughput.times.at(-1), 199);
});
