// SPDX-License-Identifier: Apache-2.0
/** The native program: what needs real sockets and a start of its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { control, homes, startProgram } from '../tests/program.mjs';

const NATIVE = fileURLToPath(new URL('../build/native/fortnight', import.meta.url));
const LOAD = fileURLToPath(new URL('../build/native/load', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'fortnight-test-'));
after(() => rmSync(scratch, { recursive: true }));

/**
 * @param {import('node:test').TestContext} t
 * @param {...string} args
 */
const serve = (t, ...args) => startProgram(t, NATIVE, ['serve', '--http', 'off', ...args], homes(scratch));

/**
 * What a load generator says of |authority|.
 * @param {string} authority
 * @param {string} hash
 * @param {...string} args
 */
function load(authority, hash, ...args) {
  const { stdout, stderr } = spawnSync(LOAD, [`https://${authority}/echo`, '--hash', hash, ...args],
    { encoding: 'utf8', timeout: 15_000 });
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

test('one server at several addresses', { timeout: 30_000 }, async (t) => {
  const program = serve(t, '--ephemeral', '--port', '0', '--listen', '127.0.0.1', '--listen', '[::1]:0',
    '--listen', '127.0.0.2', '--listen', '::');
  const { listen, url, hashes, control: path } = await program.ready();
  assert.equal(listen.length, 4);
  assert.equal(`https://${listen[0]}/echo`, url);
  assert.match(listen[1], /^\[::1\]:[1-9]\d*$/);
  assert.match(listen[2], /^127\.0\.0\.2:[1-9]\d*$/);
  assert.match(listen[3], /^\[::\]:[1-9]\d*$/);
  // The last one is every address, of both kinds.
  const port = listen[3].split(':').at(-1);
  const authorities = [...listen.slice(0, 3), `127.0.0.3:${port}`, `[::1]:${port}`];
  for (const authority of authorities) {
    const report = load(authority, hashes[0].hex, '--mode', 'datagrams', '--duration', '0.2', '--rate', '100');
    assert.ok(report.served && report.echoed > 0, JSON.stringify(report));
  }
  const status = await control(path, { command: 'status' });
  assert.deepEqual(status.health.listen, listen);
  assert.equal(status.counters.handshakes_completed, authorities.length);
});

test('an address that cannot be had ends it, whichever it is', { timeout: 30_000 }, async (t) => {
  const first = serve(t, '--ephemeral', '--port', '0');
  const { listen: [taken] } = await first.ready();
  const second = serve(t, '--ephemeral', '--port', '0', '--listen', '::1', '--listen', taken);
  assert.equal(await second.exit(), 3);
  assert.match(second.errors[0], new RegExp(`port ${taken.split(':')[1]} of 127.0.0.1 is in use`));
});
