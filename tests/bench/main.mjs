// SPDX-License-Identifier: Apache-2.0
/**
 * `make bench`: the native appliance, the WebAssembly on Node, and the
 * Isolated Web App under the same load in one run, each beside a bare UDP echo
 * on the same kind of socket, which is what can be had there without QUIC.
 *
 *   node tests/bench/main.mjs [--seconds S] [--rounds N] [--rate R]
 *                             [--only native,node,iwa] [--json FILE]
 *
 * Figures depend on the machine and on what else it does; ratios within one
 * run are what may be compared.  All of them take turns, and each figure is
 * the median of the rounds.  The last row has no server at all:
 * what it shows is what the load generator makes up by itself.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * @typedef {object} Program something that serves
 * @property {string} url
 * @property {string} hash '' for the bare echo
 * @property {() => Promise<void>} stop
 *
 * @typedef {object} Target
 * @property {string} name
 * @property {string} title
 * @property {string[]} server the command that serves
 * @property {string[]} bare the command of the bare echo
 *
 * @typedef {Record<string, any>} Result what load prints
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {string} title
 * @property {Record<string, Result[]>} runs by the name of the load, one a round
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NODE = process.execPath;

/* A browser takes a while to come up on a busy machine. */
const START_MS = 60_000;
const STOP_MS = 15_000;

/** @type {Target[]} */
const TARGETS = [
  {
    name: 'native',
    title: 'native',
    server: ['build/native/fortnight', 'serve', '--port', '0'],
    bare: ['build/native/bare_echo_posix', '127.0.0.1', '0'],
  },
  {
    name: 'node',
    title: 'WASM on Node',
    server: [NODE, 'scripts/serve-wasm.mjs', '--port', '0'],
    bare: [NODE, 'tests/bench/bare_echo_node.mjs'],
  },
  {
    name: 'iwa',
    title: 'IWA in Chromium',
    server: [NODE, 'scripts/run.mjs', '--port', '0', '--headless'],
    bare: [NODE, 'tests/bench/bare_echo_iwa.mjs'],
  },
];

const { values } = parseArgs({ options: {
  seconds: { type: 'string', default: '2' },
  rounds: { type: 'string', default: '3' },
  rate: { type: 'string', default: '2000' },
  only: { type: 'string', default: 'native,node,iwa' },
  json: { type: 'string', default: join(ROOT, 'build/bench.json') },
} });
const seconds = atLeast('seconds', 0.1);
const rounds = Math.round(atLeast('rounds', 1));
const rate = atLeast('rate', 1);

/**
 * @param {'seconds'|'rounds'|'rate'} name
 * @param {number} min
 */
function atLeast(name, min) {
  const value = Number(values[name]);
  if (!(value >= min)) {
    console.error(`bench: --${name} ${values[name]}: give a number of at least ${min}`);
    process.exit(2);
  }
  return value;
}

/* What is run: against the server, and plain UDP against the bare echo. */
const CLOSED = ['--window', '32', '--size', '1000'];
const OPEN = ['--rate', String(rate), '--size', '1000'];
/** @type {Record<string, {bare?: boolean, args: string[]}>} */
const LOADS = {
  bare: { bare: true, args: ['--mode', 'raw', ...CLOSED] },
  datagrams: { args: ['--mode', 'datagrams', ...CLOSED] },
  bareAtRate: { bare: true, args: ['--mode', 'raw', ...OPEN] },
  datagramsAtRate: { args: ['--mode', 'datagrams', ...OPEN] },
  handshakes: { args: ['--mode', 'handshakes', '--connections', '4'] },
  stream: { args: ['--mode', 'stream'] },
};

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/** @param {string} text */
const say = (text) => process.stderr.write(`${text}\n`);

/**
 * @param {string[]} command
 * @param {number} ms
 * @param {(line: string) => boolean} [until] whether |line| is what is awaited;
 *     without it, the end of the program is
 * @returns {Promise<{child: import('node:child_process').ChildProcess, lines: string[]}>}
 */
function run(command, ms, until) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1),
      { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    /** @type {string[]} */
    const lines = [];
    let rest = '';
    let errors = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command.join(' ')}: not done in ${ms / 1000} s\n${errors}`));
    }, ms);
    children.add(child);
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors = (errors + text).slice(-4000);
    });
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        if (until?.(line)) {
          clearTimeout(timer);
          resolve({ child, lines });
        }
      }
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      children.delete(child);
      if (!until && code === 0) resolve({ child, lines });
      else reject(new Error(`${command.join(' ')}: ended with ${code}\n${errors}`));
    });
  });
}

/** @param {import('node:child_process').ChildProcess} child */
function stop(child) {
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  }));
}

/**
 * @param {string[]} command
 * @returns {Promise<Program>}
 */
async function start(command) {
  const { child, lines } = await run(command, START_MS, (line) => line.startsWith('ready '));
  const told = lines[lines.length - 1].slice('ready '.length);
  if (!told.startsWith('{')) {
    return { url: `udp://${told}/`, hash: '', stop: () => stop(child) };
  }
  const { url, hashes } = JSON.parse(told);
  const { hex } = hashes.find((/** @type {{use: string}} */ { use }) => use === 'active');
  return { url, hash: hex, stop: () => stop(child) };
}

/**
 * @param {string} name
 * @param {Program} program
 * @param {string[]} [more]
 * @returns {Promise<Result>}
 */
async function load(name, program, more = []) {
  const hash = program.hash ? ['--hash', program.hash] : [];
  const command = ['build/native/load', '--url', program.url, ...hash,
    ...LOADS[name].args, '--duration', String(seconds), ...more];
  const { lines } = await run(command, (seconds + 15) * 1000);
  const result = JSON.parse(lines[lines.length - 1]);
  if (result.wrong > 0) throw new Error(`${command.join(' ')}: what came back is not what was sent`);
  return result;
}

/**
 * All hosts are up all the time and take turns: what else the machine does then
 * falls on each of them alike.
 * @param {Target[]} targets
 * @returns {Promise<Row[]>}
 */
async function measure(targets) {
  /** @type {Program[]} */
  const started = [];
  /** @type {Row[]} */
  const rows = targets.map(({ name, title }) => ({ name, title, runs: {} }));
  try {
    for (const { title, server, bare } of targets) {
      say(`${title}: starting`);
      started.push(await start(server), await start(bare));
    }
    for (let round = 1; round <= rounds; round++) {
      for (const [i, row] of rows.entries()) {
        say(`${row.title}: round ${round} of ${rounds}`);
        for (const [name, { bare }] of Object.entries(LOADS)) {
          const result = await load(name, started[2 * i + (bare ? 1 : 0)]);
          (row.runs[name] ??= []).push(result);
          if (!result.served) say(`${row.title}: nothing came back from ${name}`);
        }
      }
    }
  } finally {
    await Promise.all(started.map((program) => program.stop()));
  }
  return rows;
}

/** @returns {Promise<Program>} an address where nobody is */
async function nobody() {
  const socket = createSocket('udp4');
  await new Promise((/** @type {(value?: undefined) => void} */ done) => {
    socket.bind(0, '127.0.0.1', () => done());
  });
  const { port } = socket.address();
  await new Promise((/** @type {(value?: undefined) => void} */ done) => {
    socket.close(() => done());
  });
  return { url: `https://127.0.0.1:${port}/echo`, hash: '00'.repeat(32), stop: async () => {} };
}

/** @returns {Promise<Row>} */
async function control() {
  /** @type {Row} */
  const row = { name: 'control', title: 'no server', runs: {} };
  const program = await nobody();
  say('no server');
  for (const name of Object.keys(LOADS)) {
    row.runs[name] = [await load(name, program, ['--connect', '1'])];
  }
  return row;
}

/**
 * @param {Row} row
 * @param {string} name
 * @param {(result: Result) => number} value
 * @returns {number} the median of the rounds
 */
function median(row, name, value) {
  const sorted = (row.runs[name] ?? []).map(value).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {Row} row */
function summary(row) {
  const one = (/** @type {string} */ name) => ({
    perSecond: median(row, name, (result) => result.per_second),
    loss: median(row, name, (result) => result.loss),
    p50: median(row, name, (result) => result.rtt_us.p50),
    p99: median(row, name, (result) => result.rtt_us.p99),
  });
  return {
    handshakes: median(row, 'handshakes', (result) => result.per_second),
    handshakeP50: median(row, 'handshakes', (result) => result.latency_us.p50),
    megabytes: median(row, 'stream', (result) => result.megabytes_per_second),
    bare: one('bare'),
    datagrams: one('datagrams'),
    bareAtRate: one('bareAtRate'),
    datagramsAtRate: one('datagramsAtRate'),
  };
}

/**
 * @param {string[]} head
 * @param {string[][]} rows
 */
function table(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i].length)));
  const line = (/** @type {string[]} */ cells) => cells
    .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  console.log(line(head));
  console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  for (const cells of rows) console.log(line(cells));
  console.log();
}

const whole = (/** @type {number} */ n) => Math.round(n).toLocaleString('en-US');
const percent = (/** @type {number} */ n) => `${(100 * n).toFixed(n > 0 && n < 0.001 ? 3 : 1)} %`;
const time = (/** @type {number} */ n) => (n < 10_000 ? `${whole(n)} us` : `${(n / 1000).toFixed(1)} ms`);

/** @param {Row[]} rows */
function print(rows) {
  const sums = rows.map((row) => ({ title: row.title, ...summary(row) }));
  console.log('\nHandshakes (4 at a time) and one stream, echoed; the median of '
    + `${rounds} x ${seconds} s`);
  table(['', 'handshakes/s', 'p50', 'stream MB/s'], sums.map((s) => [
    s.title, whole(s.handshakes), time(s.handshakeP50), s.megabytes.toFixed(1)]));
  console.log('Datagrams of 1000 octets echoed, 32 in flight: through WebTransport, and by a bare\n'
    + 'UDP echo on the same kind of socket');
  table(['', 'echoes/s', 'loss', 'p50', 'p99', 'bare/s', 'loss', 'p50', 'p99', 'of bare'],
    sums.map((s) => [s.title, ...columns(s.datagrams), ...columns(s.bare),
      s.bare.perSecond > 0 ? percent(s.datagrams.perSecond / s.bare.perSecond) : '-']));
  console.log(`The same at a steady ${whole(rate)} a second; the time counts from when each was due`);
  table(['', 'echoes/s', 'loss', 'p50', 'p99', 'bare/s', 'loss', 'p50', 'p99'],
    sums.map((s) => [s.title, ...columns(s.datagramsAtRate), ...columns(s.bareAtRate)]));
}

/** @param {{perSecond: number, loss: number, p50: number, p99: number}} of */
function columns({ perSecond, loss, p50, p99 }) {
  return [whole(perSecond), percent(loss), time(p50), time(p99)];
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    Promise.all([...children].map(stop)).then(() => process.exit(130));
  });
}

const wanted = values.only.split(',');
const targets = TARGETS.filter(({ name }) => wanted.includes(name));
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cpus: cpus().length,
  memory: totalmem(),
  node: process.version,
  date: new Date().toISOString(),
  loadBefore: loadavg()[0],
};
if (machine.loadBefore > 0.5) {
  say(`the machine is busy (load ${machine.loadBefore.toFixed(1)}): figures will be low`);
}
/** @type {Row[]} */
const rows = [];
try {
  rows.push(...await measure(targets), await control());
} catch (error) {
  console.error(`bench: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 1;
}
await Promise.all([...children].map(stop));
if (rows.length > 0) {
  print(rows);
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify({ machine, seconds, rounds, rate,
    summary: Object.fromEntries(rows.map((row) => [row.name, summary(row)])), rows }, null, 2)}\n`);
  console.log(`${machine.cpus} x ${machine.cpu}; everything in ${relative(process.cwd(), values.json)}`);
}
