// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync,
  writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { defaultStatePath, openNodeStore } from './node-store.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true }));

const octets = (/** @type {string} */ text) => new TextEncoder().encode(text);
const text = (/** @type {Uint8Array|null} */ data) => data && new TextDecoder().decode(data);
let last = 0;
/** A folder of its own, one that nobody has made yet, and awkward to quote. */
const folder = () => join(scratch, `it's ${++last}`, 'state');

/** @param {() => unknown} task */
function refusal(task) {
  /** @type {any} */
  let thrown;
  try {
    task();
  } catch (error) {
    thrown = error;
  }
  return thrown ?? assert.fail('it did not throw');
}

test('what was written is read, by whoever opens it next', () => {
  const path = folder();
  const store = openNodeStore(path);
  assert.equal(store.place, path);
  assert.equal(store.read('key'), null);
  store.write('key', octets('first and long'));
  store.write('key', octets('second'));
  store.append('journal.jsonl', octets('a\n'));
  store.append('journal.jsonl', octets('b\n'));
  store.write('state.0', octets('slot'));
  store.rename('state.0', 'state.0.bad');
  store.close();
  const again = openNodeStore(path);
  assert.equal(text(again.read('key')), 'second');
  assert.equal(text(again.read('journal.jsonl')), 'a\nb\n');
  assert.equal(again.read('state.0'), null);
  assert.equal(text(again.read('state.0.bad')), 'slot');
  again.close();
  again.close();
  assert.throws(() => again.read('key'), /closed/);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  for (const name of ['lock', 'key', 'journal.jsonl', 'state.0.bad']) {
    assert.equal(statSync(join(path, name)).mode & 0o777, 0o600, name);
  }
});

test('the lock is flock(2), as the native program has it', () => {
  const path = folder();
  const held = () => spawnSync('flock', ['-n', join(path, 'lock'), 'true']).status === 1;
  const store = openNodeStore(path);
  assert.ok(held());
  const error = refusal(() => openNodeStore(path));
  assert.equal(error.code, 'state-refused');
  assert.ok(error.message.startsWith(`${path} is in use by another process: `));
  // The attempt has taken nothing from it.
  assert.ok(held());
  store.write('key', octets('x'));
  store.close();
  assert.ok(!held());
  openNodeStore(path).close();
});

test('no flock(1): no lock, so no store', () => {
  const path = folder();
  const before = process.env.PATH;
  process.env.PATH = scratch;
  try {
    assert.match(refusal(() => openNodeStore(path)).message, /util-linux\) is missing/);
  } finally {
    process.env.PATH = before;
  }
});

test('what others could use is refused with the command that mends it', () => {
  const path = folder();
  const store = openNodeStore(path);
  store.write('key', octets('x'));
  const mend = (/** @type {string} */ message) =>
    execFileSync('sh', ['-c', message.slice(message.indexOf('chmod'))]);
  chmodSync(join(path, 'key'), 0o640);
  const file = refusal(() => store.read('key'));
  assert.equal(file.code, 'EACCES');
  mend(file.message);
  assert.equal(text(store.read('key')), 'x');
  store.close();
  chmodSync(path, 0o750);
  const whole = refusal(() => openNodeStore(path));
  assert.equal(whole.code, 'state-refused');
  mend(whole.message);
  openNodeStore(path).close();
});

test('links are not followed, and folders that cannot be had are refused', () => {
  const path = folder();
  const store = openNodeStore(path);
  const other = join(scratch, 'other');
  writeFileSync(other, 'theirs', { mode: 0o600 });
  symlinkSync(other, join(path, 'key'));
  symlinkSync(other, join(path, 'state.0.new'));
  assert.equal(refusal(() => store.read('key')).code, 'ELOOP');
  assert.equal(refusal(() => store.append('key', octets('x'))).code, 'ELOOP');
  store.write('key', octets('ours'));
  store.write('state.0', octets('ours'));
  store.close();
  assert.equal(readFileSync(other, 'utf8'), 'theirs');
  assert.ok(!existsSync(join(path, 'state.0.new')));

  const link = join(scratch, 'link');
  symlinkSync(path, link);
  for (const bad of [link, other, join(other, 'below'), '/proc/nothing']) {
    assert.equal(refusal(() => openNodeStore(bad)).code, 'state-refused', bad);
  }
});

test('a write that fails leaves the file as it was', () => {
  const path = folder();
  const store = openNodeStore(path);
  store.write('key', octets('old'));
  // A folder in the place of the temporary file is in the way even of root.
  mkdirSync(join(path, 'key.new'));
  assert.throws(() => store.write('key', octets('new')));
  assert.equal(text(store.read('key')), 'old');
  rmSync(join(path, 'key.new'), { recursive: true });
  mkdirSync(join(path, 'state.0', 'full'), { recursive: true });
  assert.throws(() => store.write('state.0', octets('new')));
  assert.ok(!existsSync(join(path, 'state.0.new')));
  store.close();
});

test('where it is unless the person says', () => {
  const { STATE_DIRECTORY, XDG_STATE_HOME, HOME } = process.env;
  try {
    process.env.STATE_DIRECTORY = '/a';
    process.env.XDG_STATE_HOME = '/b';
    assert.equal(defaultStatePath(), '/a');
    process.env.STATE_DIRECTORY = '';
    assert.equal(defaultStatePath(), '/b/fortnight');
    process.env.XDG_STATE_HOME = '';
    process.env.HOME = '/c';
    assert.equal(defaultStatePath(), '/c/.local/state/fortnight');
    // As the native program has it: the first of several, and nothing relative.
    assert.equal(defaultStatePath({ STATE_DIRECTORY: '/a:/b' }), '/a');
    assert.equal(defaultStatePath({ STATE_DIRECTORY: 'a', XDG_STATE_HOME: 'b' }), '/c/.local/state/fortnight');
  } finally {
    for (const [name, value] of Object.entries({ STATE_DIRECTORY, XDG_STATE_HOME, HOME })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});
