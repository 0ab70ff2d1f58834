// SPDX-License-Identifier: Apache-2.0
/** The native program, and the WASM on Node: what needs real sockets and a start of its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
  // What belongs to no connection is answered from there, too.
  const tokens = new Set();
  for (const authority of authorities.filter((authority) => !authority.startsWith('['))) {
    const [address, port] = authority.split(':');
    tokens.add(await resetToken(Number(port), Buffer.alloc(16, 7), address));
  }
  assert.equal(tokens.size, 1);
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

/**
 * The token in the stateless reset (RFC 9000 section 10.3) with which a server
 * answers a packet of a connection that it does not know.
 * @param {number} port
 * @param {Buffer} id 16 octets: the connection's
 * @param {string} [address]
 */
async function resetToken(port, id, address = '127.0.0.1') {
  const socket = createSocket('udp4');
  try {
    socket.send(Buffer.concat([Buffer.of(0x40), id, Buffer.alloc(60, 0xa5)]), port, address);
    const [message, from] = await once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
    assert.deepEqual([from.address, from.port], [address, port]);
    return message.subarray(-16).toString('hex');
  } finally {
    socket.close();
  }
}

const WASM = fileURLToPath(new URL('serve-wasm.mjs', import.meta.url));

for (const [name, command, first] of /** @type {[string, string, string[]][]} */ ([
  ['native', NATIVE, ['serve', '--http', 'off']],
  ['wasm', process.execPath, [WASM]],
])) {
  test(`${name}: connections of before a restart are told that they are gone`, { timeout: 60_000 }, async (t) => {
    const folder = mkdtempSync(join(scratch, 'state-'));
    const state = join(folder, 'state');
    const file = join(state, 'quic.keys');
    const id = Buffer.alloc(16, 0x5e);
    /** @param {...string} args */
    const once = async (...args) => {
      const program = startProgram(t, command, [...first, '--port', '0', ...args], homes(folder));
      const { url } = await program.ready();
      const token = await resetToken(Number(new URL(url).port), id);
      program.child.kill('SIGTERM');
      assert.equal(await program.exit(), 0, program.errors.join('\n'));
      return { token, said: program.errors.filter((line) => line.includes('quic.keys')) };
    };
    const one = await once('--state', state);
    assert.match(one.said.join('\n'), /^[^\n]*info: .*quic\.keys is new[^\n]*$/);
    assert.equal(statSync(file).mode & 0o7777, 0o600);
    assert.equal(statSync(file).size, 104);
    assert.deepEqual(await once('--state', state), { token: one.token, said: [] });

    // Nothing but the keys is lost with them, and that once.
    const octets = readFileSync(file);
    octets[20] ^= 1;
    writeFileSync(file, octets);
    const two = await once('--state', state);
    assert.notEqual(two.token, one.token);
    assert.match(two.said.join('\n'), /warning: .*quic\.keys was damaged: new keys/);
    assert.deepEqual(await once('--state', state), { token: two.token, said: [] });
    rmSync(file);
    const three = await once('--state', state);
    assert.match(three.said.join('\n'), /quic\.keys is new/);
    assert.notEqual(three.token, two.token);
    chmodSync(file, 0o644);
    const four = await once('--state', state);
    assert.match(four.said.join('\n'), /warning: .*could be read by others|warning: .*chmod 600/);
    assert.notEqual(four.token, three.token);
    assert.equal(statSync(file).mode & 0o7777, 0o600);

    const kept = readdirSync(folder);
    const none = await once('--ephemeral');
    assert.notEqual((await once('--ephemeral')).token, none.token);
    assert.deepEqual(readdirSync(folder), kept);
    assert.ok(!existsSync(join(folder, 'fortnight', 'quic.keys')));
  });
}
