// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INITIAL, loadSettings, saveSettings } from './settings.js';

/** @param {string|null} [kept] */
function storageOf(kept = null) {
  const items = new Map(kept === null ? [] : [['fortnight.settings', kept]]);
  return {
    getItem: (/** @type {string} */ key) => items.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => { items.set(key, value); },
  };
}

test('what is saved is there again', () => {
  const storage = storageOf();
  assert.deepEqual(loadSettings(storage), INITIAL);
  const fields = { ...INITIAL, port: '5000', hosts: 'a.example', origins: 'https://b.example' };
  saveSettings(storage, fields);
  assert.deepEqual(loadSettings(storage), fields);
});

test('what is no setting is left out', () => {
  for (const kept of ['', '{', 'null', '7', '[]', '"x"', '{"port":7}', JSON.stringify({ hosts: 'x'.repeat(5000) }),
    '{"constructor":"x","more":"y"}']) {
    assert.deepEqual(loadSettings(storageOf(kept)), INITIAL, kept);
  }
  assert.equal(loadSettings(storageOf('{"port":"7","address":null}')).port, '7');
});

test('no storage is no reason to fail', () => {
  const broken = {
    getItem: () => { throw new DOMException('denied', 'SecurityError'); },
    setItem: () => { throw new DOMException('full', 'QuotaExceededError'); },
  };
  assert.deepEqual(loadSettings(broken), INITIAL);
  saveSettings(broken, INITIAL);
  assert.deepEqual(loadSettings(undefined), INITIAL);
  saveSettings(undefined, INITIAL);
});
