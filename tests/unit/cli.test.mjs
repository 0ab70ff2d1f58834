// SPDX-License-Identifier: Apache-2.0
// The native program's command line as a person uses it: every command, the
// state folder, what is refused and what is said then.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { control } from '../program.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = join(ROOT, process.env.FORTNIGHT ?? 'build/native/fortnight');
const LOAD = join(ROOT, 'build/native/load');

// A socket's path is short.
const scratch = mkdtempSync(join(tmpdir(), 'fn-'));
after(() => rmSync(scratch, { recursive: true }));

/** @type {NodeJS.ProcessEnv} */
const ENV = { ...process.env, XDG_RUNTIME_DIR: scratch, XDG_STATE_HOME: scratch, HOME: scratch };
delete ENV.STATE_DIRECTORY;

const COMMANDS = ['serve', 'status', 'hashes', 'rotate', 'revoke', 'reset', 'identity', 'stop',
  'verify', 'simulate', 'help'];

let folders = 0;

/** A path in the scratch folder that nothing has. */
const fresh = () => join(scratch, `f${folders++}`);

/**
 * Runs a command to its end.
 * @param {string[]} args
 * @param {{input?: string, env?: NodeJS.ProcessEnv}} [options]
 */
function cli(args, { input = '', env = ENV } = {}) {
  const { status, stdout, stderr, error } = spawnSync(PROGRAM, args,
    { input, env, cwd: scratch, encoding: 'utf8', timeout: 30_000 });
  assert.ok(!error, `${args.join(' ')}: ${error}`);
  return { code: status, stdout, stderr };
}

/**
 * Runs a command that has to succeed.
 * @param {string[]} args
 * @param {string} [input]
 */
function does(args, input) {
  const { code, stdout, stderr } = cli(args, { input });
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
  return stdout;
}

/**
 * Runs a command that has to be refused, with one line that says what to do.
 * @param {number} code
 * @param {RegExp} line
 * @param {string[]} args
 * @param {{input?: string, env?: NodeJS.ProcessEnv}} [options]
 */
function refuses(code, line, args, options) {
  const result = cli(args, options);
  assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}`);
  assert.match(result.stderr, /^fortnight: [^\n]+\n$/);
  assert.match(result.stderr, line);
  return result;
}

/**
 * Starts a server, on a free port unless |args| say so.
 * @param {import('node:test').TestContext} t
 * @param {...string} args
 */
async function serve(t, ...args) {
  const port = args.includes('--port') ? [] : ['--port', '0'];
  const child = spawn(PROGRAM, ['serve', ...port, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: ENV, cwd: scratch });
  t.after(() => child.kill('SIGKILL'));
  /** @type {string[]} */
  const log = [];
  const errors = createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const closed = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value, done } = await lines.next();
  assert.ok(!done, `it ended: ${log.join('\n')}`);
  assert.match(value, /^ready \{.*\}$/);
  const ready = JSON.parse(value.slice('ready '.length));
  return {
    ready,
    log,
    pid: child.pid,
    kill: child.kill.bind(child),
    /** Its exit code, once all that it wrote is read. */
    exit: async () => (await closed)[0],
    /**
     * The first line of the log that |pattern| is found in, once it is there.
     * @param {RegExp} pattern
     * @returns {Promise<string>}
     */
    async logged(pattern) {
      let line;
      while (!(line = log.find((line) => pattern.test(line)))) await once(errors, 'line');
      return line;
    },
    /** @type {(...words: string[]) => string[]} */
    to: (...words) => [...words, '--control', ready.control],
    /** Stops it, and gives its exit code. */
    async stop() {
      does(['stop', '--control', ready.control]);
      return (await closed)[0];
    },
  };
}

/**
 * Sessions that do nothing, until the test is over.
 * @param {import('node:test').TestContext} t
 * @param {Awaited<ReturnType<typeof serve>>} server
 * @param {number} n
 * @param {string} [path]
 */
async function visit(t, server, n, path = '/echo') {
  const { url, hashes } = server.ready;
  const child = spawn(LOAD, [url, '--hash', hashes[0].hex, '--path', path, '--mode', 'idle',
    '--connections', String(n), '--duration', '600'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  await server.logged(new RegExp(`session ${n} opened|"session":${n},`));
}

/** @param {{hashes: {use: string, hex: string}[]}} published */
const hexes = ({ hashes }) => Object.fromEntries(hashes.map(({ use, hex }) => [use, hex]));

test('help, and what is refused', () => {
  assert.match(does(['help']), /^usage: fortnight COMMAND/);
  for (const command of COMMANDS) {
    const text = does([command, '--help']);
    assert.match(text, new RegExp(`^usage: fortnight (${command}|COMMAND)\\b`));
    assert.equal(does(['help', command]), text);
  }
  assert.deepEqual(cli([]), { code: 2, stdout: '', stderr: does(['help']) });
  refuses(2, /no command "srve"/, ['srve']);
  refuses(2, /no option --prot; see "fortnight serve --help"/, ['serve', '--prot', '1']);
  refuses(2, /0 to 65535/, ['serve', '--port', 'http']);
  refuses(2, /1209599/, ['serve', '--profile', 'active=8d']);
  refuses(2, /give one of them/, ['serve', '--ephemeral', '--state', 'x']);
  refuses(2, /"fortnight reset --yes"/, ['reset']);
  refuses(6, /no server runs; start one with "fortnight serve"/, ['status']);
  refuses(6, /no server answers at \/nowhere/, ['status', '--control', '/nowhere']);
});

test('simulate draws the picture of the documentation', () => {
  const svg = fresh();
  assert.match(does(['simulate']), /^The profile hot-standby\n[^]*3650 days\n[^]*606 swaps\n/);
  assert.equal(does(['simulate', '--svg', svg]), '');
  const drawn = readFileSync(svg, 'utf8');
  assert.equal(drawn, readFileSync(join(ROOT, 'docs/lifecycle.svg'), 'utf8'),
    'draw it again: build/native/fortnight simulate --svg docs/lifecycle.svg');
  assert.equal(does(['simulate', '--svg', '-', '--years', '2']), drawn);
  const told = JSON.parse(does(['simulate', '--json', '--profile', 'short', '--years', '1']));
  assert.equal(told.name, 'short');
  assert.equal(told.gap_max, 0);
  refuses(2, /years takes a number/, ['simulate', '--years', '0']);
  refuses(2, /standby for longer/, ['simulate', '--profile', 'standby=7d,active=1d']);
});

test('every command, to a server that keeps nothing', async (t) => {
  const server = await serve(t, '--ephemeral', '--mirror', 'https://mirror.example/a?b');
  const { ready, to } = server;
  assert.equal(ready.pid, server.pid);
  assert.deepEqual(ready.hashes.map((/** @type {any} */ hash) => hash.use), ['active', 'standby']);
  assert.equal(ready.state_folder, undefined);
  const fragment = new URLSearchParams(new URL(ready.link).hash.slice(1));
  assert.equal(fragment.get('wt'),
    ready.hashes.map((/** @type {any} */ hash) => hash.b64url).join('.'));
  assert.equal(fragment.get('id'), ready.identity);
  assert.equal(fragment.get('mirror'), 'https://mirror.example/a?b');

  await t.test('status', () => {
    const table = does(to('status'));
    assert.match(table, /^State {8}NO_STANDBY: serving; /);
    assert.match(table, new RegExp(`^${ready.hashes[0].hex.slice(0, 8)} .* active +gives way in 6 days`, 'm'));
    assert.match(table, new RegExp(`^${ready.hashes[1].hex.slice(0, 8)} .* standby +takes over in 6 days`, 'm'));
    assert.match(table, /^Next {9}the standby is ready in (10 minutes|9 minutes \d+ seconds?)$/m);
    assert.ok(table.includes(`\nLink         ${ready.link}\n`));
    assert.ok(table.includes(`\nIdentity     ${ready.identity}\n`));
    assert.match(table, /^State folder none/m);
    const status = JSON.parse(does(to('status', '--json')));
    assert.equal(status.link, ready.link);
    assert.equal(status.certificates.slots.length, 2);
  });

  await t.test('hashes', () => {
    const [active, standby] = ready.hashes;
    assert.ok(does(to('hashes')).includes(active.hex));
    assert.deepEqual(hexes(JSON.parse(does(to('hashes', '--json')))), hexes(ready));
    assert.equal(does(to('hashes', '--form', 'link')), `${ready.link}\n`);
    assert.equal(does(to('hashes', '--form', 'hex')), `${active.hex}\n${standby.hex}\n`);
    assert.equal(does(to('hashes', '--form', 'text')), `${active.hex}\n${standby.hex}\n`);
    assert.equal(does(to('hashes', '--form', 'base64url')), `${active.b64url}\n${standby.b64url}\n`);
    assert.match(does(to('hashes', '--form', 'multiaddr')), /^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1\/webtransport\/certhash\/u/);
    refuses(1, /the forms are link, /, to('hashes', '--form', 'morse'));
  });

  await t.test('verify', () => {
    const jws = does(to('hashes', '--form', 'jws'));
    const file = fresh();
    writeFileSync(file, jws);
    const text = does(['verify', file, '--id', ready.identity]);
    assert.match(text, /^Signed by that identity, and in force\.\n/);
    assert.ok(text.includes(ready.hashes[1].hex));
    assert.equal(does(['verify', '-', '--link', ready.link], jws), text);
    const told = JSON.parse(does(['verify', file, '--json', '--id', ready.identity]));
    assert.deepEqual(hexes(told), hexes(ready));
    assert.equal(told.url, ready.url);

    const other = ready.identity.replace(/^./, (/** @type {string} */ c) => c === 'A' ? 'B' : 'A');
    refuses(8, /NOT signed by/, ['verify', file, '--id', other]);
    const [header, payload, signature] = jws.trim().split('.');
    const forged = Buffer.from(Buffer.from(payload, 'base64url').toString()
      .replace('"epoch":1', '"epoch":2')).toString('base64url');
    refuses(8, /NOT signed by/, ['verify', '-', '--id', ready.identity],
      { input: [header, forged, signature].join('.') });
    refuses(8, /no signed set/, ['verify', '-', '--id', ready.identity], { input: '\0hello' });
    refuses(8, /no signed set/, ['verify', '-', '--id', ready.identity], { input: '' });
    refuses(2, /names no identity/, ['verify', file, '--link', 'https://a/#wt=b']);
    refuses(2, /No such file/, ['verify', fresh(), '--id', ready.identity]);
    refuses(2, /43 characters/, ['verify', file, '--id', 'me']);
  });

  await t.test('HTTP', async () => {
    const get = async (/** @type {string} */ path) => (await fetch(new URL(path, ready.http))).text();
    assert.equal(await get('/hashes.json'), does(to('hashes', '--form', 'jws')).trim());
    assert.equal(await get('/certificate.sha256'), does(to('hashes', '--form', 'text')));
    assert.equal((await get('/share')).trim(), ready.link);
    assert.equal(JSON.parse(await get('/healthz')).state, 'NO_STANDBY');
    assert.match(await get('/metrics'), /^fortnight_state\{state="NO_STANDBY"\} 1$/m);
  });

  await t.test('rotate', () => {
    refuses(1, /rotate refused: .*ready in \d+ s; .* \(--force does it now\)$/m, to('rotate'));
    const rotated = JSON.parse(does(to('rotate', '--force', '--json')));
    assert.equal(hexes(rotated).active, hexes(ready).standby);
    assert.ok(hexes(rotated).standby && !Object.values(hexes(ready)).includes(hexes(rotated).standby));
    const text = does(to('rotate', '--force'));
    assert.ok(text.startsWith(`Active       ${hexes(rotated).standby}\n`), text);
  });

  await t.test('revoke', () => {
    const before = JSON.parse(does(to('hashes', '--json')));
    const revoked = JSON.parse(does(to('revoke', '--json')));
    assert.equal(hexes(revoked).active, hexes(before).standby);
    assert.ok(!does(to('hashes', '--form', 'hex')).includes(hexes(before).active));
  });

  await t.test('reset', () => {
    const before = JSON.parse(does(to('hashes', '--json')));
    const reset = JSON.parse(does(to('reset', '--yes', '--json')));
    assert.equal(reset.epoch, before.epoch + 1);
    assert.equal(reset.identity, before.identity);
    for (const hex of Object.values(hexes(before))) {
      assert.ok(!Object.values(hexes(reset)).includes(hex));
    }
  });

  await t.test('identity', async (t) => {
    assert.equal(does(to('identity')), `${ready.identity}\n`);
    const { stdout: backup, stderr } = cli(to('identity', '--backup'));
    assert.match(backup, /^fortnight-identity-1\.\S+\n$/);
    assert.equal(stderr, '', 'the warning is for terminals');
    const other = await serve(t, '--ephemeral');
    assert.notEqual(other.ready.identity, ready.identity);
    const file = fresh();
    writeFileSync(file, `\n  ${backup}`);
    const restored = JSON.parse(does(other.to('identity', '--restore', file, '--json')));
    assert.equal(restored.identity, ready.identity);
    assert.equal(does(other.to('identity')), `${ready.identity}\n`);
    does(['verify', '-', '--id', ready.identity], does(other.to('hashes', '--form', 'jws')));
    assert.match(does(other.to('identity', '--restore', '-'), backup), /^The identity is now /);
    refuses(1, /identity refused: /, other.to('identity', '--restore', '-'),
      { input: backup.replace('.', '.A') });
    refuses(2, /No such file/, other.to('identity', '--restore', fresh()));
    // Two servers run: which one is meant has to be said.
    refuses(6, /several servers run: say which, such as --control .*\.sock \(the number is its port\)/, ['status']);
    assert.equal(await other.stop(), 0);
  });

  // One server runs: it is found.
  assert.ok(does(['status']).includes(ready.identity));
  assert.equal(await server.stop(), 0);
  refuses(6, /no server/, to('status'));
});

test('a document that has run out', () => {
  const source = readFileSync(join(ROOT, 'tests/unit/signed-set.test.mjs'), 'utf8');
  const thumbprint = /** @type {RegExpExecArray} */ (/THUMBPRINT = '([^']+)'/.exec(source))[1];
  const lines = /** @type {RegExpExecArray} */ (/JWS =\n([^;]+);/.exec(source))[1];
  const jws = Array.from(lines.matchAll(/'([^']*)'/g), (match) => match[1]).join('');
  const { stdout } = refuses(9, /has run out: ask for a newer one/,
    ['verify', '-', '--id', thumbprint], { input: jws });
  assert.match(stdout, /HAS RUN OUT/);
});

test('a state folder outlives the server', async (t) => {
  const state = join(fresh(), 'deep', 'down');
  const first = await serve(t, '--state', state);
  assert.equal(first.ready.state_folder, state);
  assert.ok(does(first.to('status')).includes(`\nState folder ${state}\n`));
  const rotated = JSON.parse(does(first.to('rotate', '--force', '--json')));

  refuses(7, /is in use by another process: give each server its own with --state/,
    ['serve', '--port', '0', '--state', state]);
  for (const name of readdirSync(state)) {
    assert.equal(statSync(join(state, name)).mode & 0o777, 0o600, name);
  }
  assert.equal(statSync(state).mode & 0o777, 0o700);
  assert.equal(await first.stop(), 0);

  const second = await serve(t, '--state', state);
  assert.equal(second.ready.identity, first.ready.identity);
  assert.deepEqual(hexes(second.ready), hexes(rotated));
  assert.ok(second.ready.seq > rotated.seq, 'document numbers only grow');
  assert.equal(await second.stop(), 0);

  const journal = readFileSync(join(state, 'journal.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(journal.map(({ n }) => n), journal.map((_, i) => i + 1));
  assert.ok(journal.some(({ event, from }) => event === 'command' && from === 'rotate, forced'));
});

test('a state folder that is refused, and mended as it says', async (t) => {
  const state = fresh();
  const first = await serve(t, '--state', state);
  assert.equal(await first.stop(), 0);
  for (const [path, mode] of /** @type {[string, number][]} */ ([['.', 0o755], ['key', 0o640], ['state.0', 0o604]])) {
    chmodSync(join(state, path), mode);
    const { stderr } = refuses(7, /can be used by others; to mend it: chmod/,
      ['serve', '--port', '0', '--state', state]);
    const command = stderr.slice(stderr.indexOf('chmod'));
    assert.equal(spawnSync('/bin/sh', ['-c', command], { cwd: scratch }).status, 0);
  }
  const second = await serve(t, '--state', state);
  assert.deepEqual(hexes(second.ready), hexes(first.ready));
  assert.equal(await second.stop(), 0);

  // One slot that is damaged costs nothing; both cost all, and that is refused.
  const damage = (/** @type {string} */ name) => {
    const octets = readFileSync(join(state, name));
    octets[octets.length >> 1] ^= 1;
    writeFileSync(join(state, name), octets);
  };
  damage('state.0');
  const third = await serve(t, '--state', state);
  assert.deepEqual(hexes(third.ready), hexes(first.ready));
  assert.ok(existsSync(join(state, 'state.0.bad')));
  assert.equal(await third.stop(), 0);
  assert.ok(third.log.some((line) => line.includes('warning: 1 of 2 copies of the state was damaged, and is set aside')),
    third.log.join('\n'));
  damage('state.0');
  damage('state.1');
  // However often a supervisor tries: no new identity behind anybody's back.
  for (let i = 0; i < 2; i += 1) {
    const { stderr } = refuses(7, /did not pass its check.*: rm '[^']+'\/\*\.bad; "fortnight identity --restore"/,
      ['serve', '--port', '0', '--state', state]);
    assert.equal(stderr.match(/restore a copy/g)?.length, 1);
  }
  // Until somebody says so.
  assert.equal(spawnSync('/bin/sh', ['-c', `rm '${state}'/*.bad`]).status, 0);
  const fourth = await serve(t, '--state', state);
  assert.notEqual(fourth.ready.identity, first.ready.identity);
  assert.equal(await fourth.stop(), 0);
});

test('a server outlives whoever read its log', async (t) => {
  const child = spawn(PROGRAM, ['serve', '--port', '0', '--ephemeral', '--http', 'off'],
    { stdio: ['ignore', 'pipe', 'pipe'], env: ENV, cwd: scratch });
  t.after(() => child.kill('SIGKILL'));
  const closed = once(child, 'exit');
  const { value = '' } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const { control } = JSON.parse(String(value).slice('ready '.length));
  for (const stream of [child.stdout, child.stderr]) {
    stream.destroy();
    if (!stream.closed) await once(stream, 'close');
  }
  // Each writes to the log.
  does(['rotate', '--force', '--control', control]);
  does(['revoke', '--control', control]);
  does(['stop', '--control', control]);
  assert.deepEqual(await closed, [0, null]);
});

test('the state folder if nobody says', async (t) => {
  const server = await serve(t);
  assert.equal(server.ready.state_folder, join(scratch, 'fortnight'));
  assert.equal(await server.stop(), 0);
  const { XDG_STATE_HOME: _, HOME: __, ...bare } = ENV;
  refuses(7, /HOME is not set: give --state DIR, or --ephemeral/, ['serve', '--port', '0'], { env: bare });
  refuses(7, /cannot be made: .*--state DIR/, ['serve', '--port', '0', '--state', '/dev/null/x/y']);
});

test('SIGTERM asks sessions to end, and waits for them', async (t) => {
  const server = await serve(t, '--ephemeral', '--http', 'off', '--drain', '600');
  await visit(t, server, 2);
  server.kill('SIGTERM');
  await server.logged(/info: stopping: 2 sessions are asked to end; 600 s at most; again to end at once$/);
  const { sessions } = JSON.parse(does(server.to('status', '--json')));
  assert.equal(sessions.length, 2);
  for (const { session } of sessions) {
    assert.deepEqual(await control(server.ready.control, { command: 'close', session, code: 7 }), {});
  }
  assert.equal(await server.exit(), 0);
  assert.equal(server.log.filter((line) => /closed by the server: code 7/.test(line)).length, 2, server.log.join('\n'));
});

test('the second SIGTERM, or stop --now, waits for nobody', async (t) => {
  for (const again of /** @type {const} */ (['SIGTERM', 'SIGINT', 'stop', 'now'])) {
    const server = await serve(t, '--ephemeral', '--http', 'off', '--drain', '600');
    await visit(t, server, 1);
    if (again !== 'now') {
      if (again === 'stop') does(server.to('stop'));
      else server.kill('SIGTERM');
      await server.logged(/stopping: 1 session is asked to end/);
    }
    if (again === 'now') does(server.to('stop', '--now'));
    else if (again === 'stop') does(server.to('stop'));
    else server.kill(again);
    assert.equal(await server.exit(), 0);
    assert.ok(server.log.some((line) => /closed by the server: code 0, "the server stops"/.test(line)), server.log.join('\n'));
  }
});

test('--drain 0 waits for nobody, and nobody is waited for where nobody is', async (t) => {
  const server = await serve(t, '--ephemeral', '--http', 'off', '--drain', '0');
  await visit(t, server, 1);
  server.kill('SIGTERM');
  assert.equal(await server.exit(), 0);
  assert.ok(!server.log.some((line) => /stopping:/.test(line)));
  const idle = await serve(t, '--ephemeral', '--http', 'off', '--drain', '600');
  idle.kill('SIGTERM');
  assert.equal(await idle.exit(), 0);
  assert.ok(!idle.log.some((line) => /stopping:/.test(line)));
});

test('the log for programs, and how much of it', async (t) => {
  const server = await serve(t, '--ephemeral', '--http', 'off', '--log-format', 'json', '--log-level', 'debug');
  // A path is what a peer wrote.
  await visit(t, server, 1, '/echo?\u2028\u202e{"type":"x"}');
  assert.equal(await server.stop(), 0);
  const lines = server.log.map((line) => JSON.parse(line));
  for (const { time, level, type } of lines) {
    assert.ok(Number.isInteger(time) && type, JSON.stringify({ time, type }));
    assert.ok(['info', 'debug', 'warning', 'error'].includes(level));
  }
  for (const type of ['certificates', 'journal', 'state', 'log', 'session-opened', 'session-closed']) {
    assert.ok(lines.some((line) => line.type === type), type);
  }
  const opened = server.log.find((line) => line.includes('"session-opened"')) ?? '';
  assert.match(opened, /^[ -~]+$/);
  assert.equal(JSON.parse(opened).path, '/echo?\u2028\u202e{"type":"x"}');

  const quiet = await serve(t, '--ephemeral', '--http', 'off', '--log-level', 'warning');
  await control(quiet.ready.control, { command: 'rotate', force: true });
  assert.equal(await quiet.stop(), 0);
  assert.deepEqual(quiet.log, []);
});

test('who may come', async (t) => {
  const server = await serve(t, '--ephemeral', '--http', 'off', '--path', '/room?name=a',
    '--origin', 'https://a.example', '--retry', 'always', '--max-sessions', '1', '--idle', '60');
  assert.equal(new URL(server.ready.link).pathname, '/room');
  const { status, stdout } = spawnSync(LOAD, [server.ready.url, '--hash', server.ready.hashes[0].hex, '--mode', 'idle',
    '--duration', '0.1'], { encoding: 'utf8', timeout: 30_000 });
  assert.equal(status, 0);
  assert.equal(JSON.parse(stdout).sessions, 0, 'it is of no such origin');
  const { counters } = JSON.parse(does(server.to('status', '--json')));
  assert.ok(counters.retries_sent >= 1);
  assert.equal(counters.handshakes_completed, 1);
  assert.equal(counters.sessions_total, 0);
  assert.equal(await server.stop(), 0);
  assert.ok(!server.log.some((line) => /nothing is served/.test(line)));

  const rooms = await serve(t, '--ephemeral', '--http', 'off', '--app', 'room', '--app', 'measure');
  assert.equal(new URL(rooms.ready.link).pathname, '/room');
  for (const [path, sessions] of /** @type {[string, number][]} */ ([['/room', 1], ['/sink', 1], ['/echo', 0]])) {
    const idle = spawnSync(LOAD, [rooms.ready.url, '--hash', rooms.ready.hashes[0].hex, '--path', path,
      '--mode', 'idle', '--duration', '0.1'], { encoding: 'utf8', timeout: 30_000 });
    assert.equal(JSON.parse(idle.stdout).sessions, sessions, path);
  }
  assert.equal(await rooms.stop(), 0);

  const lost = await serve(t, '--ephemeral', '--http', 'off', '--path', '/chat');
  assert.equal(await lost.stop(), 0);
  await lost.logged(/warning: nothing is served on \/chat: whoever follows the link gets a 404; there is \/echo$/);
  refuses(2, /the path begins with "\/"/, ['serve', '--port', '0', '--ephemeral', '--path', 'chat']);
});

test('a link that nobody can use is told', async (t) => {
  const server = await serve(t, '--ephemeral', '--host', 'example.org');
  assert.equal(await server.stop(), 0);
  assert.ok(server.log.some((line) => /warning: only programs of this machine can reach example\.org/.test(line)),
    server.log.join('\n'));
});

test('HTTP has its place, or says so', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = /** @type {import('node:net').AddressInfo} */ (taken.address());
  refuses(3, /choose another place with --http/, ['serve', '--port', '0', '--ephemeral', '--http', `127.0.0.1:${port}`]);
  refuses(2, /--http takes an address and a port/, ['serve', '--port', '0', '--ephemeral', '--http', 'localhost']);
  // Nobody asked for this one: it is a warning.
  const server = await serve(t, '--ephemeral', '--port', String(port));
  assert.equal(server.ready.http, undefined);
  assert.equal(await server.stop(), 0);
  assert.ok(server.log.some((line) => line.includes(`warning: no HTTP at 127.0.0.1 port ${port}`)));
  const silent = await serve(t, '--ephemeral', '--http', 'off');
  assert.equal(silent.ready.http, undefined);
  assert.equal(await silent.stop(), 0);
});

test('hooks are told, and seen in the status', async (t) => {
  const published = fresh();
  const events = fresh();
  const server = await serve(t, '--state', fresh(),
    '--on-publish', `cat > ${published}; echo "$FORTNIGHT_LINK" > ${published}.link`,
    '--on-event', `cat >> ${events}`);
  const failing = await serve(t, '--ephemeral', '--on-publish', 'exit 3');

  /** @param {Awaited<ReturnType<typeof serve>>} of @returns {any[]} */
  const hooks = (of) => JSON.parse(does(of.to('status', '--json'))).health.hooks;

  // Each loop ends: a command that is due is run.
  while (hooks(failing)[0].failures === 0) ;
  assert.equal(hooks(failing)[0].ok, false);
  assert.match(does(failing.to('status')), /^Hook {9}on-publish\n +FAILING: .*\n +exit status 3$/m);
  assert.equal(await failing.stop(), 0);

  const rotated = JSON.parse(does(server.to('rotate', '--force', '--json')));
  const jws = does(server.to('hashes', '--form', 'jws'));
  assert.match(does(server.to('status')), /^Hook {9}on-publish$[^]*^Hook {9}on-event$/m);
  while (hooks(server).some(({ pending }) => pending > 0)) ;
  assert.equal(await server.stop(), 0);
  assert.equal(readFileSync(published, 'utf8'), jws.trim());
  assert.equal(readFileSync(`${published}.link`, 'utf8').trim(), rotated.link);
  assert.equal(readFileSync(events, 'utf8'),
    readFileSync(join(server.ready.state_folder, 'journal.jsonl'), 'utf8'));
});
