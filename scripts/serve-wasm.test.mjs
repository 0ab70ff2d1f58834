// SPDX-License-Identifier: Apache-2.0
/** The WASM appliance on Node as a program: what scripts rely on. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('serve-wasm.mjs', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true }));

/**
 * @param {import('node:test').TestContext} t
 * @param {...string} args
 */
function run(t, ...args) {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, XDG_RUNTIME_DIR: scratch },
  });
  t.after(() => child.kill('SIGKILL'));
  /** @type {string[]} */
  const errors = [];
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const closed = once(child, 'close');
  return {
    child,
    errors,
    /** Its exit code, once all that it wrote is read. */
    exit: async () => (await closed)[0],
    /** The ready line's object. */
    ready: async () => {
      const { value, done } = await lines.next();
      assert.ok(!done, `it ended: ${errors.join(' ')}`);
      assert.match(value, /^ready \{.*\}$/);
      return JSON.parse(value.slice('ready '.length));
    },
  };
}

/**
 * @param {string} path
 * @param {object} command
 */
async function control(path, command) {
  const client = connect(path);
  client.write(`${JSON.stringify(command)}\n`);
  for await (const line of createInterface({ input: client })) {
    client.destroy();
    return JSON.parse(line);
  }
  throw new Error('no answer');
}

test('it says what it serves, swaps, and stops on SIGTERM', { timeout: 20_000 }, async (t) => {
  const program = run(t, '--port', '0');
  const ready = await program.ready();
  assert.equal(ready.pid, program.child.pid);
  const { port, hash } = new URL(ready.link);
  assert.equal(ready.control, join(scratch, `fortnight-${process.getuid?.()}`, `${port}.sock`));
  assert.deepEqual(ready.hashes.map((/** @type {any} */ h) => h.use), ['active', 'standby']);
  for (const { hex, b64url } of ready.hashes) {
    assert.match(hex, /^[0-9a-f]{64}$/);
    assert.equal(Buffer.from(b64url, 'base64url').toString('hex'), hex);
    assert.ok(hash.includes(b64url));
  }

  const rotated = await control(ready.control, { command: 'rotate' });
  assert.equal(rotated.hashes[0].hex, ready.hashes[1].hex);
  assert.ok(!ready.hashes.some((/** @type {any} */ h) => h.hex === rotated.hashes[1].hex));
  const status = await control(ready.control, { command: 'status' });
  assert.deepEqual(status.hashes, rotated.hashes);
  assert.equal(status.link, rotated.link);
  assert.ok((await control(ready.control, { command: 'no such thing' })).error);

  program.child.kill('SIGTERM');
  assert.equal(await program.exit(), 0);
  assert.ok(!existsSync(ready.control));
});

test('a busy port and a live control socket are refused', { timeout: 20_000 }, async (t) => {
  const first = run(t, '--port', '0');
  const ready = await first.ready();
  const second = run(t, '--port', new URL(ready.url).port);
  const third = run(t, '--port', '0', '--control', ready.control);
  assert.equal(await second.exit(), 3);
  assert.equal(await third.exit(), 6);
  assert.equal(second.errors.length, 1, second.errors.join('\n'));
  assert.equal(third.errors.length, 1, third.errors.join('\n'));
  // The first has noticed nothing, and stops by command too.
  assert.equal((await control(ready.control, { command: 'stop' })).error, undefined);
  assert.equal(await first.exit(), 0);
});

for (const [code, ...args] of /** @type {[number, ...string[]][]} */ ([
  [2, '--bogus'],
  [2, '--port', 'x'],
  [2, '--port', '80'],
  [2, '--port', '65536'],
  [2, '--listen', 'nonsense', '--port', '0'],
  [2, '--host', 'a/b', '--port', '0'],
  [5, '--listen', '203.0.113.9', '--port', '0'],
  [6, '--control', `/tmp/${'x'.repeat(120)}`, '--port', '0'],
])) {
  test(`refused with one line and exit code ${code}: ${args.join(' ').slice(0, 40)}`, { timeout: 20_000 }, async (t) => {
    const program = run(t, ...args);
    assert.equal(await program.exit(), code);
    assert.equal(program.errors.length, 1, program.errors.join('\n'));
    assert.match(program.errors[0], /^fortnight: .{10}/);
  });
}

test('--help', { timeout: 20_000 }, async (t) => {
  const program = run(t, '--help');
  assert.equal(await program.exit(), 0);
  assert.deepEqual(program.errors, []);
});
