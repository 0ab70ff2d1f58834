// SPDX-License-Identifier: Apache-2.0
/**
 * The native appliance beside servers that are built on quinn, under the same
 * generator in the same run.  They take turns at each load, and what a load
 * takes of a server's processor time is counted too: where the generator is
 * what gives out first, that is what may be compared.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { loadavg } from 'node:os';
import { makeCertificate } from './certificate.mjs';
import { NODE, ROOT, run, say, start } from './programs.mjs';
import { percent, table, time, whole } from './table.mjs';

/**
 * @typedef {import('./programs.mjs').Program} Program
 * @typedef {import('./throughput.mjs').Settings & {pin: boolean}} Settings
 *
 * @typedef {object} Sample
 * @property {number} rate what of it was done in a second
 * @property {number} cpu microseconds of the server's processors for one
 * @property {number} generator the part of one processor that the generator took
 * @property {Record<string, any>} result what load prints
 *
 * @typedef {object} Load
 * @property {string} title
 * @property {string} path
 * @property {string[]} args
 * @property {(result: Record<string, any>) => number} done how many there were
 * @property {boolean} [ends] whether it needs streams that end
 *
 * @typedef {object} Target
 * @property {string} name
 * @property {string} title
 * @property {boolean} [endless] whether its streams do not end
 * @property {Program} program
 *
 * @typedef {{title: string, unit: string,
 *     samples: {target: string, title: string, runs: Sample[]}[]}} Row
 */

/* What @moq/web-transport is linked with. */
const GLIBC_LEAST = [2, 38];

const megabytes = (/** @type {Record<string, any>} */ { octets }) => octets / 1e6;

/** @type {(Load & {unit: string})[]} */
const LOADS = [
  { title: 'handshakes/s, 16 at a time', unit: 'handshake', path: '/echo',
    args: ['--mode', 'handshakes', '--connections', '16'], done: ({ handshakes }) => handshakes },
  { title: 'sessions/s, 16 at a time', unit: 'session', path: '/echo',
    args: ['--mode', 'sessions', '--connections', '16'], done: ({ sessions }) => sessions },
  { title: 'stream echoed, MB/s', unit: 'MB', path: '/echo',
    args: ['--mode', 'streams'], done: megabytes },
  { title: 'stream to a sink, MB/s', unit: 'MB', path: '/sink',
    args: ['--mode', 'upload'], done: megabytes },
  { title: 'stream from a source, MB/s', unit: 'MB', path: '/source?streams=0',
    args: ['--mode', 'download'], done: megabytes },
  { title: '10 x 4 streams echoed, MB/s', unit: 'MB', path: '/echo',
    args: ['--mode', 'streams', '--connections', '10', '--streams', '4', '--in-flight', '65536'],
    done: megabytes },
  { title: 'streams of 10 kB echoed/s', unit: 'stream', path: '/echo', ends: true,
    args: ['--mode', 'streams', '--connections', '4', '--streams', '4', '--size', '10000'],
    done: ({ streams_done: n }) => n },
  { title: 'datagrams echoed/s, 1 x 32', unit: 'datagram', path: '/echo',
    args: ['--mode', 'datagrams'], done: ({ echoed }) => echoed },
  { title: 'datagrams echoed/s, 10 x 16', unit: 'datagram', path: '/echo',
    args: ['--mode', 'datagrams', '--connections', '10', '--in-flight', '16'],
    done: ({ echoed }) => echoed },
];

/** How to run a Node.js that can load @moq/web-transport; null: not here. */
function modernNode() {
  const { glibcVersionRuntime = '0' } = /** @type {any} */ (process.report.getReport()).header;
  const [major, minor] = glibcVersionRuntime.split('.').map(Number);
  if (major > GLIBC_LEAST[0] || (major === GLIBC_LEAST[0] && minor >= GLIBC_LEAST[1])) {
    return [NODE];
  }
  // Emscripten was fetched with a C library of its own (scripts/bootstrap.sh).
  const emcc = /^LD_wasm := (.*)$/m.exec(readFileSync(join(ROOT, 'build/tools.mk'), 'utf8'));
  const lib = join(dirname(emcc?.[1] ?? ''), '../usr/lib/x86_64-linux-gnu');
  try {
    readdirSync(lib);
  } catch {
    return null;
  }
  return [join(lib, 'ld-linux-x86-64.so.2'), '--library-path', lib, NODE];
}

/** @returns {string[]} the command of Deno */
function deno() {
  const program = process.env.DENO ?? join(dirname(createRequire(import.meta.url).resolve(
    `@deno/linux-${process.arch}-glibc/package.json`)), 'deno');
  return [program, 'run', '--quiet', '--no-config', '--no-lock', '--no-remote', '-A',
    '--unstable-net'];
}

/**
 * Microseconds of all threads of |pid|.
 * @param {number} pid
 */
function processorTime(pid) {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      // It has just ended.
    }
  }
  return sum / 1000;
}

/**
 * @param {Target} target
 * @param {Load} load
 * @param {Settings} settings
 * @returns {Promise<Sample>}
 */
async function measureOne({ title, program }, { path, args, done }, { seconds, pin }) {
  const before = processorTime(program.pid);
  const command = [...on(pin, 1), 'build/native/load', program.url, '--hash', program.hash,
    '--path', path, ...args, '--duration', String(seconds)];
  const { lines } = await run(command, (seconds + 20) * 1000);
  const result = JSON.parse(lines[lines.length - 1]);
  if (result.wrong > 0) {
    throw new Error(`${title}: ${command.join(' ')}: what came back is not what was sent\n`
      + lines[lines.length - 1]);
  }
  return {
    rate: done(result) / seconds,
    cpu: (processorTime(program.pid) - before) / done(result),
    generator: result.cpu_seconds / seconds,
    result,
  };
}

/**
 * What a command begins with, for all its threads to stay on |processor|.
 * @param {boolean} pin whether they are to
 * @param {number} processor
 */
const on = (pin, processor) => (pin ? ['taskset', '--cpu-list', String(processor)] : []);

/**
 * @param {string} folder
 * @param {boolean} pin
 * @returns {Promise<Target[]>}
 */
async function startAll(folder, pin) {
  const { cert, key, hash } = makeCertificate();
  const files = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(files[0], cert);
  writeFileSync(files[1], key, { mode: 0o600 });
  /** @type {Target[]} */
  const targets = [{ name: 'native', title: 'native', program: await start(
    [...on(pin, 0), 'build/native/fortnight', 'serve', '--drain', '0', '--port', '0',
      '--ephemeral', '--http', 'off']) }];
  const node = modernNode();
  if (node) {
    targets.push({ name: 'moq', title: 'quinn (@moq/web-transport)', program: await start(
      [...on(pin, 0), ...node, join(ROOT, 'tests/bench/quinn_node.mjs'), ...files]) });
  } else {
    say('@moq/web-transport needs a C library that is not here: left out');
  }
  process.env.DENO_DIR = join(folder, 'deno');
  process.env.DENO_NO_UPDATE_CHECK = '1';
  targets.push({ name: 'deno', title: 'quinn (Deno)', endless: true, program: await start(
    [...on(pin, 0), ...deno(), join(ROOT, 'tests/bench/quinn_deno.mjs'), ...files]) });
  for (const { program } of targets) program.hash ||= hash;
  return targets;
}

/**
 * @param {Settings} settings
 * @returns {Promise<Row[]>}
 */
export async function measureQuinn(settings) {
  const folder = mkdtempSync(join(ROOT, 'build/bench-'));
  /** @type {Target[]} */
  let targets = [];
  try {
    targets = await startAll(folder, settings.pin);
    /** @type {Row[]} */
    const rows = LOADS.map(({ title, unit, ends }) => ({ title, unit, samples: targets
      .filter(({ endless }) => !(ends && endless))
      .map((target) => ({ target: target.name, title: target.title, runs: [] })) }));
    for (let round = 1; round <= settings.rounds; round++) {
      say(`quinn: round ${round} of ${settings.rounds}, load ${loadavg()[0].toFixed(1)}`);
      for (const [i, load] of LOADS.entries()) {
        for (const { target, runs } of rows[i].samples) {
          const found = /** @type {Target} */ (targets.find(({ name }) => name === target));
          runs.push(await measureOne(found, load, settings));
        }
      }
    }
    return rows;
  } finally {
    await Promise.all(targets.map(({ program }) => program.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {Row[]} rows */
export function summarizeQuinn(rows) {
  return rows.map(({ title, unit, samples }) => ({ title, unit, servers: samples.map(
    ({ target, title: server, runs }) => ({
      target,
      title: server,
      rate: median(runs.map(({ rate }) => rate)),
      cpu: median(runs.map(({ cpu }) => cpu)),
      generator: median(runs.map(({ generator }) => generator)),
    })) }));
}

/** @param {number} n microseconds */
const processor = (n) => (n < 100 ? `${n.toFixed(1)} us` : time(n));
const figure = (/** @type {number} */ n) => (n < 100 ? n.toFixed(1) : whole(n));

/**
 * @param {Row[]} rows
 * @param {Settings} settings
 */
export function printQuinn(rows, { seconds, rounds, pin }) {
  console.log(`\nNative beside quinn, by turns; the median of ${rounds} x ${seconds} s${
    pin ? '; a server has one processor, the generator another' : ''}.  Ratios are native's to it: `
    + 'of the rate, and of\nwhat can be done with the same processor time of the server.  '
    + 'Generator: its part of one processor');
  /** @type {string[][]} */
  const lines = [];
  for (const { title, unit, servers } of summarizeQuinn(rows)) {
    const [native] = servers;
    for (const [i, { title: server, rate, cpu, generator }] of servers.entries()) {
      lines.push([i === 0 ? title : '', server, figure(rate),
        i === 0 ? '' : `${(native.rate / rate).toFixed(2)} x`, `${processor(cpu)}/${unit}`,
        i === 0 ? '' : `${(cpu / native.cpu).toFixed(2)} x`, percent(generator)]);
    }
  }
  table(['', 'server', 'rate', 'ratio', 'processor', 'ratio', 'generator'], lines);
}
