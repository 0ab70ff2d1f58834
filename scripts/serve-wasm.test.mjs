// SPDX-License-Identifier: Apache-2.0
/** The WASM appliance on Node as a program: what scripts rely on. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { IMPORT, makeClock } from '../tests/clock/clock.mjs';
import { control, homes, startProgram } from '../tests/program.mjs';

const PROGRAM = fileURLToPath(new URL('serve-wasm.mjs', import.meta.url));
const NATIVE = fileURLToPath(new URL('../build/native/fortnight', import.meta.url));
const LOAD = fileURLToPath(new URL('../build/native/load', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true }));

/**
 * @param {import('node:test').TestContext} t
 * @param {...string} args
 */
const run = (t, ...args) => start(t, process.execPath, [PROGRAM, ...args]);

/**
 * @param {import('node:test').TestContext} t
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
const start = (t, command, args, env) => startProgram(t, command, args, { ...homes(scratch), ...env });

/**
 * What it says on its standard error, but for the log.
 * @param {{errors: string[]}} program
 */
const complaints = ({ errors }) => errors.filter((line) => !/^(debug|info): /.test(line));

test('it says what it serves, swaps, and stops on SIGTERM', { timeout: 20_000 }, async (t) => {
  const program = run(t, '--port', '0', '--ephemeral');
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

  // Nobody can have learnt of the standby yet.
  assert.match((await control(ready.control, { command: 'rotate' })).error, /standby/);
  const rotated = await control(ready.control, { command: 'rotate', force: true });
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
  const first = run(t, '--port', '0', '--ephemeral');
  const ready = await first.ready();
  const second = run(t, '--port', new URL(ready.url).port, '--ephemeral');
  const third = run(t, '--port', '0', '--ephemeral', '--control', ready.control);
  assert.equal(await second.exit(), 3);
  assert.equal(await third.exit(), 6);
  assert.equal(complaints(second).length, 1, second.errors.join('\n'));
  assert.equal(complaints(third).length, 1, third.errors.join('\n'));
  // The first has noticed nothing, and stops by command too.
  assert.equal((await control(ready.control, { command: 'stop' })).error, undefined);
  assert.equal(await first.exit(), 0);
});

/** @param {string} folder */
const stateOf = (folder) => ['--port', '0', '--state', join(scratch, folder)];

test('the state outlives it: same identity, same hashes', { timeout: 20_000 }, async (t) => {
  const first = run(t, ...stateOf('kept'));
  const before = await first.ready();
  const second = run(t, ...stateOf('kept'));
  assert.equal(await second.exit(), 7);
  assert.equal(second.errors.length, 1);
  assert.match(second.errors[0], /^fortnight: .+kept is in use by another process: .+ --ephemeral/);
  const rotated = await control(before.control, { command: 'rotate', force: true });
  // No word to it: what was told is kept.
  first.child.kill('SIGKILL');
  await first.exit();
  const third = run(t, ...stateOf('kept'));
  const after = await third.ready();
  assert.equal(after.identity, before.identity);
  assert.deepEqual(after.hashes.map((/** @type {any} */ h) => h.hex),
    rotated.hashes.map((/** @type {any} */ h) => h.hex));
  const { certificates } = await control(after.control, { command: 'status' });
  assert.equal(certificates.durable, true);
  assert.ok(certificates.seq > rotated.seq);
  const lines = readFileSync(join(scratch, 'kept/journal.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
  lines.forEach((line, i) => assert.equal(line.n, i + 1));
  assert.ok(lines.some(({ from, to }) => from === 'ACTIVE' && to === 'RETIRED'));
});

test('the native program takes it up, and gives it back', { timeout: 20_000 }, async (t) => {
  const native = (/** @type {string[]} */ ...args) => start(t, NATIVE, ['serve', '--http', 'off', ...args]);
  const inTurn = [run, (/** @type {any} */ _, /** @type {string[]} */ ...args) => native(...args)];
  /** @type {any} */
  let before;
  for (let i = 0; i < 4; i++) {
    const program = inTurn[i % 2](t, ...stateOf('both'));
    const ready = await program.ready();
    if (before) assert.equal(ready.identity, before.identity);
    assert.equal(ready.hashes[0].hex, before?.hashes[0].hex ?? ready.hashes[0].hex);
    // Neither gets in while the other is there.
    const other = inTurn[(i + 1) % 2](t, ...stateOf('both'));
    assert.equal(await other.exit(), 7);
    assert.match(complaints(other)[0], /both is in use by another process/);
    before = await control(ready.control, { command: 'rotate', force: true });
    program.child.kill('SIGTERM');
    assert.equal(await program.exit(), 0);
  }
  // One chain, whoever wrote it.
  const lines = readFileSync(join(scratch, 'both/journal.jsonl'), 'utf8').trimEnd().split('\n');
  lines.forEach((line, i) => {
    const { n, prev } = JSON.parse(line);
    assert.equal(n, i + 1);
    if (i > 0) assert.equal(prev, createHash('sha256').update(lines[i - 1]).digest('hex'));
  });
  assert.ok(!existsSync(join(scratch, 'both/journal.jsonl.bad')));
});

test('before the clock is set it waits, and can be asked why', { timeout: 20_000 }, async (t) => {
  const clock = makeClock(join(scratch, 'clock'));
  t.after(() => clock.close());
  clock.move(-40 * 365 * 86400);
  const path = join(scratch, 'waiting.sock');
  const program = start(t, process.execPath,
    ['--import', IMPORT, PROGRAM, '--port', '0', '--ephemeral', '--control', path], clock.node);
  while (!existsSync(path)) await new Promise((resolve) => { setTimeout(resolve, 20); });
  const status = await control(path, { command: 'status' });
  assert.equal(status.state, 'WAITING_FOR_TIME');
  assert.equal(status.link, null);
  assert.ok((await control(path, { command: 'rotate', force: true })).error);
  clock.set(0);
  // It looks again once a minute, and when it is asked to do something.
  await control(path, { command: 'rotate' });
  const ready = await program.ready();
  assert.equal(ready.control, path);
  assert.equal(ready.hashes.length, 2);
  assert.ok(program.errors.some((line) => line.includes('WAITING_FOR_TIME')), program.errors.join('\n'));
});

test('a copy that is damaged is set aside, and told', { timeout: 20_000 }, async (t) => {
  const first = run(t, ...stateOf('damaged'));
  const before = await first.ready();
  first.child.kill('SIGTERM');
  await first.exit();
  const newest = ['state.0', 'state.1'].map((name) => join(scratch, 'damaged', name))
    .sort((a, b) => Number(readFileSync(b).readBigUInt64LE(16) - readFileSync(a).readBigUInt64LE(16)))[0];
  const octets = readFileSync(newest);
  octets[100] ^= 1;
  writeFileSync(newest, octets);
  const second = run(t, ...stateOf('damaged'));
  assert.equal((await second.ready()).identity, before.identity);
  assert.ok(existsSync(`${newest}.bad`));
  second.child.kill('SIGTERM');
  assert.equal(await second.exit(), 0);
  assert.ok(second.errors.includes('warning: 1 of 2 copies of the state was damaged, and is set aside'),
    second.errors.join('\n'));
});

test('without a word about it, the state is where the native program has it', { timeout: 20_000 }, async (t) => {
  const program = run(t, '--port', '0');
  assert.equal((await program.ready()).state_folder, join(scratch, 'fortnight'));
  assert.ok(existsSync(join(scratch, 'fortnight/key')));
});

test('--profile and --mirror', { timeout: 20_000 }, async (t) => {
  const mirror = 'https://mirror.example/hashes.jws';
  const program = run(t, '--port', '0', '--ephemeral', '--profile', 'short', '--mirror', mirror);
  const { link, hashes } = await program.ready();
  assert.equal(new URLSearchParams(new URL(link).hash.slice(1)).get('mirror'), mirror);
  assert.equal(hashes[0].not_after - hashes[0].not_before, 7 * 86400 - 1);
});

test('it asks sessions to end, and the second SIGTERM ends them', { timeout: 20_000 }, async (t) => {
  const program = run(t, '--port', '0', '--ephemeral', '--drain', '600', '--log-format', 'json');
  const { url, hashes, control: path } = await program.ready();
  const load = spawn(LOAD, [url, '--hash', hashes[0].hex, '--mode', 'idle', '--duration', '600'], { stdio: 'ignore' });
  t.after(() => load.kill('SIGKILL'));
  await program.logged(/"session-opened"/);
  program.child.kill('SIGTERM');
  const line = await program.logged(/stopping: /);
  assert.equal(JSON.parse(line).text, 'stopping: 1 session is asked to end; 600 s at most; again to end at once');
  assert.equal((await control(path, { command: 'status' })).sessions.length, 1);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit(), 0);
  assert.equal(JSON.parse(await program.logged(/"session-closed"/)).by, 'server');
});

test('only those of an origin, and where the link says', { timeout: 20_000 }, async (t) => {
  const program = run(t, '--port', '0', '--ephemeral', '--path', '/room', '--origin', 'https://a.example', '--retry', 'always');
  const { url, hashes, control: path } = await program.ready();
  assert.equal(new URL(url).pathname, '/room');
  const { stdout } = spawnSync(LOAD, [url, '--hash', hashes[0].hex, '--mode', 'idle', '--duration', '0.1'],
    { encoding: 'utf8', timeout: 15_000 });
  assert.equal(JSON.parse(stdout).sessions, 0);
  const { counters } = await control(path, { command: 'status' });
  assert.ok(counters.retries_sent >= 1);
  assert.deepEqual([counters.handshakes_completed, counters.sessions_total], [1, 0]);
});

test('only what is to be served', { timeout: 20_000 }, async (t) => {
  const program = run(t, '--port', '0', '--ephemeral', '--app', 'room', '--drain', '0');
  const { url, hashes } = await program.ready();
  assert.equal(new URL(url).pathname, '/room');
  for (const [path, sessions] of /** @type {[string, number][]} */ ([['/room', 1], ['/echo', 0]])) {
    const { stdout } = spawnSync(LOAD, [url, '--hash', hashes[0].hex, '--path', path, '--mode', 'idle',
      '--duration', '0.1'], { encoding: 'utf8', timeout: 15_000 });
    assert.equal(JSON.parse(stdout).sessions, sessions, path);
  }
});

for (const [code, ...args] of /** @type {[number, ...string[]][]} */ ([
  [2, '--bogus'],
  [2, '--app', 'chat'],
  [2, '--port', 'x'],
  [2, '--port', '80'],
  [2, '--port', '65536'],
  [2, '--listen', 'nonsense', '--port', '0'],
  [2, '--listen', '127.0.0.1', '--listen', '::1', '--port', '0'],
  [2, '--listen', '127.0.0.1:80'],
  [2, '--listen', '[::1]:x'],
  [2, '--host', 'a/b', '--port', '0'],
  [5, '--listen', '203.0.113.9', '--port', '0'],
  [2, '--profile', 'standby=1y', '--ephemeral', '--port', '0'],
  [2, '--profile', 'active=13d,guard=2d', '--ephemeral', '--port', '0'],
  [2, '--mirror', 'http://a.example/', '--ephemeral', '--port', '0'],
  [2, '--path', 'echo', '--ephemeral', '--port', '0'],
  [2, '--origin', 'https://a.example/', '--ephemeral', '--port', '0'],
  [2, '--idle', '0', '--ephemeral', '--port', '0'],
  [2, '--drain', '5s', '--ephemeral', '--port', '0'],
  [2, '--max-handshakes', '1', '--ephemeral', '--port', '0'],
  [2, '--retry', 'often', '--ephemeral', '--port', '0'],
  [2, '--retry', 'never', '--retry-above', '1', '--ephemeral', '--port', '0'],
  [2, '--log-level', 'loud', '--ephemeral', '--port', '0'],
  [2, '--log-format', 'xml', '--ephemeral', '--port', '0'],
  [2, '--state', '/tmp/x', '--ephemeral', '--port', '0'],
  [7, '--state', '/proc/none', '--port', '0'],
  [6, '--ephemeral', '--control', `/tmp/${'x'.repeat(120)}`, '--port', '0'],
])) {
  test(`refused with one line and exit code ${code}: ${args.join(' ').slice(0, 40)}`, { timeout: 20_000 }, async (t) => {
    const program = run(t, ...args);
    assert.equal(await program.exit(), code);
    assert.equal(complaints(program).length, 1, program.errors.join('\n'));
    assert.match(complaints(program)[0], /^fortnight: .{10}/);
  });
}

test('--help', { timeout: 20_000 }, async (t) => {
  const program = run(t, '--help');
  assert.equal(await program.exit(), 0);
  assert.deepEqual(program.errors, []);
});
