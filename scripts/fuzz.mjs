// SPDX-License-Identifier: Apache-2.0
// `make fuzz`: libFuzzer against all that peers can send.
//
//   node scripts/fuzz.mjs [--target NAME]... [--seconds N] [--merge]
//
//   --target   one of tests/fuzz/NAME_fuzz.c; without it, each in turn
//   --seconds  for each target: 30 unless given
//   --merge    afterwards, what reaches more than tests/fuzz/corpus does is
//              added to it, as far as it is short
//
// One line for each target: executions, what they reached (edges of the
// program), inputs in the corpus.  It begins with tests/fuzz/corpus/NAME and
// what earlier runs have found, which stays below build/fuzz/corpus.  What a
// target fails on is kept below build/fuzz/findings, and the command that
// shows it again is printed; then the exit code is 1.

import { spawn } from 'node:child_process';
import { globSync, mkdirSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FINDINGS = 'build/fuzz/findings';

/** An input that takes so many seconds hangs. */
const HANG = 10;

/** Octets of an input that is committed. */
const SHORT = 1500;

/** Lines of the report that are shown of a finding. */
const TAIL = 40;

/**
 * @typedef {object} Outcome
 * @property {number | null} code
 * @property {string} output
 */

/** @type {import('node:child_process').ChildProcess | undefined} */
let running;
let stopped = false;

/**
 * @param {string} program
 * @param {string[]} args
 * @returns {Promise<Outcome>}
 */
function run(program, args) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      UBSAN_OPTIONS: 'print_stacktrace=1',
      ASAN_OPTIONS: 'detect_stack_use_after_return=1',
    },
  });
  running = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output += text;
    });
  }
  child.on('error', reject);
  child.on('close', (code) => {
    running = undefined;
    resolve({ code, output });
  });
  return promise;
}

/**
 * The last number that |pattern| finds, or 0.
 * @param {string} output
 * @param {RegExp} pattern
 */
function last(output, pattern) {
  return Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0);
}

/**
 * What a person wants to see of a finding.
 * @param {string} output
 */
function shorten(output) {
  return output.split('\n')
    .filter((line) => line && !/^(INFO|stat::|#\d+\t| *NOTE)/.test(line) &&
      !/^ *#\d+ .*( in fuzzer::|libc|_start|\bmain\b)/.test(line))
    .slice(-TAIL).join('\n');
}

/** @param {string} target */
const programOf = (target) => `build/fuzz/tests/fuzz/${target}_fuzz`;

/**
 * One target.  Returns whether nothing was found.
 * @param {string} target
 * @param {number} seconds
 */
async function fuzz(target, seconds) {
  const work = `build/fuzz/corpus/${target}`;
  const committed = `tests/fuzz/corpus/${target}`;
  for (const folder of [work, committed, FINDINGS]) {
    mkdirSync(ROOT + folder, { recursive: true });
  }
  const before = new Set(readdirSync(ROOT + FINDINGS));
  const started = Date.now();
  const { code, output } = await run(programOf(target), [
    `-max_total_time=${seconds}`, `-timeout=${HANG}`, '-rss_limit_mb=2048',
    '-entropic=0', '-len_control=20', '-print_funcs=0',
    '-print_final_stats=1',
    `-artifact_prefix=${FINDINGS}/${target}-`,
    work, committed]);
  const took = Math.max(1, Math.round((Date.now() - started) / 1000));
  const executions =
    last(output, /^stat::number_of_executed_units: +(\d+)/gm) ||
    last(output, /^#(\d+)\t/gm);
  const report = `${target}: ${executions} executions in ${took} s (${
    Math.round(executions / took)}/s), ${
    last(output, /\bcov: (\d+)/g)} edges, ${
    last(output, /\bcorp: (\d+)/g)} inputs`;
  if (code === 0) {
    console.log(`ok    ${report}`);
    return true;
  }
  console.log(`FAIL  ${report}`);
  console.log(shorten(output).replace(/^/gm, '      '));
  for (const file of readdirSync(ROOT + FINDINGS)) {
    if (!before.has(file) && file.startsWith(`${target}-`)) {
      console.log(`      again: ${programOf(target)} ${FINDINGS}/${file}`);
    }
  }
  return false;
}

/**
 * Adds to the committed corpus what reaches more.
 * @param {string} target
 */
async function merge(target) {
  const committed = `tests/fuzz/corpus/${target}`;
  const before = readdirSync(ROOT + committed).length;
  const { code, output } = await run(programOf(target), ['-set_cover_merge=1',
    `-max_len=${SHORT}`, committed, `build/fuzz/corpus/${target}`]);
  if (code !== 0) {
    console.log(shorten(output));
    return false;
  }
  console.log(`      ${target}: ${
    readdirSync(ROOT + committed).length - before} inputs added to ${committed}`);
  return true;
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    stopped = true;
    running?.kill('SIGINT');
  });
}

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '30' },
    merge: { type: 'boolean', default: false },
  },
});
const targets = globSync('tests/fuzz/*_fuzz.c', { cwd: ROOT }).sort()
  .map((file) => basename(file, '_fuzz.c'));
const chosen = values.target ?? targets;
const unknown = chosen.filter((name) => !targets.includes(name));
const seconds = Number(values.seconds);
if (unknown.length > 0 || !(seconds >= 1)) {
  console.error(unknown.length > 0
    ? `no such target: ${unknown.join(' ')}; there are: ${targets.join(' ')}`
    : '--seconds: a number from 1');
  process.exit(2);
}
let found = 0;
for (const target of chosen) {
  if (stopped) break;
  if (!await fuzz(target, Math.floor(seconds))) found++;
  else if (values.merge && !stopped && !await merge(target)) found++;
}
console.log(`${chosen.length} targets, ${found} with findings`);
if (found > 0) process.exitCode = 1;
else if (stopped) process.exitCode = 130;
