// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { openControl } from './control-socket.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true }));
let last = 0;
const newPath = () => join(scratch, String(++last), 'c.sock');

/** @param {any} command */
const onCommand = async (command) => {
  if (command.command === 'fail') throw new Error('it failed');
  return { did: command.command };
};

/**
 * @param {import('node:test').TestContext} t
 * @param {string} path
 */
async function open(t, path) {
  const control = await openControl({ path, own: true, onCommand });
  t.after(() => control.close());
  return control;
}

/**
 * @param {string} path
 * @param {string} text
 * @param {number} lines how many answers to wait for
 */
async function talk(path, text, lines) {
  const client = connect(path);
  client.write(text);
  const answers = [];
  for await (const line of createInterface({ input: client })) {
    answers.push(JSON.parse(line));
    if (answers.length === lines) break;
  }
  client.destroy();
  return answers;
}

test('only its owner may open it', { timeout: 5000 }, async (t) => {
  const path = newPath();
  const control = await open(t, path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  await control.close();
  assert.ok(!existsSync(path));
});

test('one line in, one line out, in order', { timeout: 5000 }, async (t) => {
  const path = newPath();
  await open(t, path);
  assert.deepEqual(await talk(path,
    '{"command":"a"}\n{"command":"fail"}\n\n{"command":\n42\nnull\n{"command":7}\n{"command":"b"}\n', 7),
  [{ did: 'a' }, { error: 'it failed' }, { error: 'not JSON' }, { error: 'not a command' },
    { error: 'not a command' }, { error: 'not a command' }, { did: 'b' }]);
});

test('a line without an end is cut off, and the next client served', { timeout: 5000 }, async (t) => {
  const path = newPath();
  await open(t, path);
  const client = connect(path);
  client.on('error', () => {});
  client.write('x'.repeat(1 << 20));
  await new Promise((resolve) => client.once('close', resolve));
  assert.deepEqual(await talk(path, '{"command":"a"}\n', 1), [{ did: 'a' }]);
});

test('a live one is refused', { timeout: 5000 }, async (t) => {
  const path = newPath();
  await open(t, path);
  await assert.rejects(openControl({ path, own: true, onCommand }), { code: 'control-refused' });
  assert.deepEqual(await talk(path, '{"command":"a"}\n', 1), [{ did: 'a' }]);
});

test('a stale one is replaced', { timeout: 5000 }, async (t) => {
  const path = newPath();
  mkdirSync(join(path, '..'), { mode: 0o700 });
  // A process that is killed leaves its socket behind.
  const other = spawn(process.execPath, ['-e',
    `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`]);
  await once(other, 'exit');
  assert.ok(statSync(path).isSocket());
  await open(t, path);
  assert.deepEqual(await talk(path, '{"command":"a"}\n', 1), [{ did: 'a' }]);
});

test('what is no socket is left alone', { timeout: 5000 }, async () => {
  const path = newPath();
  mkdirSync(join(path, '..'), { mode: 0o700 });
  writeFileSync(path, 'precious');
  await assert.rejects(openControl({ path, own: true, onCommand }), { code: 'control-refused' });
  assert.equal(statSync(path).size, 8);
});

test('a folder that is open to others is refused', { timeout: 5000 }, async () => {
  const path = newPath();
  mkdirSync(join(path, '..'));
  chmodSync(join(path, '..'), 0o755);
  await assert.rejects(openControl({ path, own: true, onCommand }), { code: 'control-refused' });
});

test('a path that is too long is refused', { timeout: 5000 }, async () => {
  await assert.rejects(openControl({ path: join(scratch, 'x'.repeat(120)), own: false, onCommand }),
    { code: 'control-refused' });
});
