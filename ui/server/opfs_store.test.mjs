// SPDX-License-Identifier: Apache-2.0
/** tests/browser/iwa_state.mjs runs the same in a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Disk } from '../../tests/unit/opfs.mjs';
import { NoStoreError } from './appliance.js';
import { ApplianceError } from './exit_codes.js';
import { NAMES, openOpfsStore } from './opfs_store.js';

const octets = (/** @type {string} */ text) => new TextEncoder().encode(text);
const text = (/** @type {Uint8Array|null} */ data) => data && new TextDecoder().decode(data);

test('what was written is read, by whoever opens it next', async () => {
  const { storage } = new Disk();
  const store = await openOpfsStore({ storage });
  for (const name of NAMES) assert.equal(store.read(name), null, name);
  store.write('key', octets('first and long'));
  store.write('key', octets('second'));
  store.append('journal.jsonl', octets('a\n'));
  store.append('journal.jsonl', octets('b\n'));
  store.write('state.0', octets('slot'));
  store.rename('state.0', 'state.0.bad');
  store.rename('state.1', 'state.1.bad');
  store.close();
  store.close();
  const again = await openOpfsStore({ storage });
  assert.equal(text(again.read('key')), 'second');
  assert.equal(text(again.read('journal.jsonl')), 'a\nb\n');
  assert.equal(again.read('state.0'), null);
  assert.equal(text(again.read('state.0.bad')), 'slot');
  assert.equal(again.read('state.1.bad'), null);
  assert.throws(() => again.read('another'), /not opened/);
});

test('one window at a time; the one before may still be leaving', { timeout: 5000 }, async () => {
  const disk = new Disk();
  const { storage } = disk;
  const first = await openOpfsStore({ storage });
  await assert.rejects(openOpfsStore({ storage, heldMs: 0 }), (error) =>
    error instanceof ApplianceError && error.code === 'state-refused' && /another window/.test(error.message));
  const second = openOpfsStore({ storage });
  first.close();
  (await second).close();
  // Refused half-way, it gives back what it had.
  const journal = disk.open('journal.jsonl');
  await assert.rejects(openOpfsStore({ storage, heldMs: 0 }), { code: 'state-refused' });
  journal.close();
  assert.equal(disk.held.size, 0);
});

test('an append that fails leaves the file as it was', async () => {
  const disk = new Disk();
  const store = await openOpfsStore(disk);
  store.append('journal.jsonl', octets('whole\n'));
  disk.failAt = 1;
  assert.throws(() => store.append('journal.jsonl', octets('half of it\n')), { name: 'QuotaExceededError' });
  assert.equal(text(store.read('journal.jsonl')), 'whole\n');
});

test('what is written is flushed, and closed handles throw', async () => {
  const disk = new Disk();
  const store = await openOpfsStore(disk);
  store.write('key', octets('x'));
  assert.equal(disk.calls, 'wtf');
  const handle = disk.open('other');
  handle.close();
  assert.throws(() => handle.getSize(), { name: 'InvalidStateError' });
  store.close();
  assert.throws(() => store.write('key', octets('y')));
  assert.equal(text(disk.files.get('key') ?? null), 'x');
});

for (const [what, storage] of /** @type {[string, any][]} */ ([
  ['no storage manager', {}],
  ['a private file system that is refused', {
    getDirectory: async () => { throw new DOMException('denied', 'SecurityError'); } }],
  ['no sync access handles', {
    getDirectory: async () => ({ getDirectoryHandle: async () => ({ getFileHandle: async () => ({}) }) }) }],
])) {
  test(`${what}: nothing can be kept`, async () => {
    await assert.rejects(openOpfsStore({ storage }), NoStoreError);
  });
}

test('a disk that fails is not taken for none', async () => {
  const { storage } = new Disk();
  const folder = await (await storage.getDirectory()).getDirectoryHandle('x');
  folder.getFileHandle = async () => { throw new DOMException('broken', 'UnknownError'); };
  await assert.rejects(openOpfsStore({ storage }), { code: 'state-refused', message: /broken/ });
});
