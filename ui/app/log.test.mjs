// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Log } from './log.js';

const AT = new Date(Date.UTC(2026, 10, 22, 3, 4, 5, 6));

function some() {
  const log = new Log();
  log.add('info', 'Serving', AT);
  log.add('warning', 'Refused', AT);
  log.add('error', 'Failed', AT);
  return log;
}

/** @param {Log} log */
const texts = (log) => log.shown.map(({ text }) => text);

test('it is bounded, and the newest stay', () => {
  const log = new Log();
  for (let i = 0; i < 600; i++) log.add('info', String(i));
  assert.equal(log.lines.length, 500);
  assert.equal(log.lines[0].text, '100');
  assert.equal(new Set(log.lines.map(({ id }) => id)).size, 500);
});

test('the filter: by level, by text, by both', () => {
  const log = some();
  assert.deepEqual(texts(log), ['Serving', 'Refused', 'Failed']);
  log.level = 'warning';
  assert.deepEqual(texts(log), ['Refused', 'Failed']);
  log.level = 'error';
  assert.deepEqual(texts(log), ['Failed']);
  log.level = 'all';
  log.text = ' reFUSed ';
  assert.deepEqual(texts(log), ['Refused']);
  // As it is shown.
  log.text = 'error:';
  assert.deepEqual(texts(log), ['Failed']);
});

test('what is exported is what is shown', () => {
  const log = some();
  log.level = 'error';
  assert.equal(log.export(), '2026-11-22T03:04:05.006Z\terror\tFailed\n');
});
