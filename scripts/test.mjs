// SPDX-License-Identifier: Apache-2.0
// `make test`: runs what has been built, and adds up.
//
//   node scripts/test.mjs [SUITE...]
//
//   native  asan  wasm   the C unit tests of that build (cmocka)
//   js                   the unit tests of the JavaScript (node --test)
//   browser              end to end, with real browsers (tests/browser)
//
// One line for each program, and all it printed if it failed.  The last line
// is "N passed, N failed"; the exit code is 0 if none failed.  A program that
// crashes, hangs or runs no test has failed.

import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Outcome what a program did
 * @property {number | null} code its exit code, or null if it was ended
 * @property {string} output what it printed
 *
 * @typedef {object} Count
 * @property {number} passed
 * @property {number} failed
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A unit test program that takes longer hangs. */
const UNIT_TIMEOUT = 120_000;

/** All files together; each test in them has UNIT_TIMEOUT. */
const JS_TIMEOUT = 15 * 60_000;

/** Its steps have time-outs of their own; this one is for the whole. */
const BROWSER_TIMEOUT = 30 * 60_000;

const VARIANTS = ['native', 'asan', 'wasm'];
const SUITES = [...VARIANTS, 'js', 'browser'];

/** The names of the environment's variables that a sanitizer reads. */
const SANITIZERS = {
  ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

/**
 * Runs a program to its end, or ends it and all it started.
 * @param {string[]} command
 * @param {object} [options]
 * @param {number} [options.timeout] in milliseconds
 * @param {Record<string, string>} [options.env] variables on top of ours
 * @param {(line: string) => void} [options.onLine]
 * @returns {Promise<Outcome>}
 */
function run(command, { timeout = UNIT_TIMEOUT, env = {}, onLine } = {}) {
  const { promise, resolve } = Promise.withResolvers();
  const child = spawn(command[0], command.slice(1), {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let output = '';
  let line = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      output += text;
      if (!onLine) return;
      const lines = (line + text).split('\n');
      line = lines.pop() ?? '';
      lines.forEach(onLine);
    });
  }
  const timer = setTimeout(() => {
    output += `\nno end after ${timeout / 1000} s\n`;
    end(child, 'SIGKILL');
  }, timeout);
  child.on('error', (error) => {
    output += `${error.message}\n`;
  });
  // Whatever it has left behind may hold its output open for ever.
  let left = false;
  child.on('exit', () => {
    setTimeout(() => {
      if (!running.has(child)) return;
      left = true;
      output += '\nsomething that it started is still there\n';
      end(child, 'SIGKILL');
      child.stdout.destroy();
      child.stderr.destroy();
    }, LEFT_BEHIND).unref();
  });
  child.on('close', (code) => {
    clearTimeout(timer);
    running.delete(child);
    if (line) onLine?.(line);
    resolve({ code: left ? code || 1 : code, output });
  });
  return promise;
}

/** In ms: for what has been written to come. */
const LEFT_BEHIND = 10_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
function end(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has come to its end by itself.
  }
}

/**
 * Counts in TAP as cmocka writes it: one plan for each group.  A test that was
 * planned and gave no result has failed.
 * @param {Outcome} outcome
 * @returns {Count}
 */
function countTap({ code, output }) {
  let planned = 0;
  let passed = 0;
  let failed = 0;
  for (const line of output.split('\n')) {
    const plan = /^1\.\.(\d+)/.exec(line);
    if (plan) planned += Number(plan[1]);
    else if (/^ok \d+/.test(line)) passed++;
    else if (/^not ok \d+/.test(line)) failed++;
  }
  failed += Math.max(0, planned - passed - failed);
  if (failed === 0 && (code !== 0 || planned === 0)) failed = 1;
  return { passed, failed };
}

/**
 * Counts by the closing lines of node --test, "# pass 3" and so on.
 * @param {Outcome} outcome
 * @returns {Count}
 */
function countNode({ code, output }) {
  /** @param {string} name */
  const of = (name) =>
    Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  const passed = of('pass');
  let failed = of('fail') + of('cancelled');
  if (failed === 0 && (code !== 0 || passed === 0)) failed = 1;
  return { passed, failed };
}

/**
 * Counts by the closing line of our own, "3 passed, 0 failed".
 * @param {Outcome} outcome
 * @returns {Count}
 */
function countClosing({ code, output }) {
  const found = [...output.matchAll(CLOSING)].at(-1);
  const passed = Number(found?.[1] ?? 0);
  let failed = Number(found?.[2] ?? 0);
  if (failed === 0 && (code !== 0 || passed === 0)) failed = 1;
  return { passed, failed };
}

const CLOSING = /^(\d+) passed, (\d+) failed/gm;

const total = { passed: 0, failed: 0 };

/**
 * @param {string} name
 * @param {Count} count
 * @param {string} [output] shown if something failed
 */
function report(name, count, output = '') {
  total.passed += count.passed;
  total.failed += count.failed;
  if (count.failed === 0) {
    console.log(`ok    ${name}: ${count.passed} passed`);
  } else {
    console.log(`FAIL  ${name}: ${count.passed} passed, ${count.failed} failed`);
    if (output) console.log(output.trimEnd().replace(/^/gm, '      '));
  }
}

/**
 * The unit tests of one build, several programs at a time.
 * @param {string} variant
 */
async function runUnit(variant) {
  const list = await run(['make', '-s', '-f', 'scripts/build.mk',
    `VARIANT=${variant}`, 'list-tests']);
  const programs = list.output.trim().split(/\s+/).filter(Boolean);
  if (list.code !== 0 || programs.length === 0) {
    report(`unit tests, ${variant}`, { passed: 0, failed: 1 },
      list.output || 'there are none');
    return;
  }
  const env = { CMOCKA_MESSAGE_OUTPUT: 'TAP', ...SANITIZERS };
  const next = programs.values();
  const worker = async () => {
    for (const program of next) {
      const command = variant === 'wasm'
        ? [process.execPath, 'scripts/wasm-test.mjs', program]
        : [program];
      const outcome = await run(command, { env });
      report(program, countTap(outcome), outcome.output);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

async function runJs() {
  const files = globSync('{directsockets,manifest,scripts,tests,ui}/**/*.test.mjs',
    { cwd: ROOT }).sort();
  const outcome = await run([process.execPath, '--test',
    '--test-reporter=tap', `--test-timeout=${UNIT_TIMEOUT}`, ...files],
  { timeout: JS_TIMEOUT });
  report(`JavaScript, ${files.length} files`, countNode(outcome),
    outcome.output);
}

async function runBrowser() {
  // Another native server than the usual: it is what is asked about.
  const only = process.env.FORTNIGHT ? ['--server', 'native'] : [];
  const outcome = await run([process.execPath, 'tests/browser/main.mjs', ...only], {
    timeout: BROWSER_TIMEOUT,
    onLine: (line) => {
      if (!line.match(CLOSING)) console.log(line);
    },
  });
  report('end to end', countClosing(outcome));
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    for (const child of running) end(child, signal);
    process.exitCode = 130;
    stopped = true;
  });
}

let stopped = false;
const suites = process.argv.slice(2);
const unknown = suites.filter((suite) => !SUITES.includes(suite));
if (unknown.length > 0) {
  console.error(`no such suite: ${unknown.join(' ')}; there are: ${
    SUITES.join(' ')}`);
  process.exit(2);
}
for (const suite of suites.length > 0 ? suites : SUITES) {
  if (stopped) break;
  if (VARIANTS.includes(suite)) await runUnit(suite);
  else if (suite === 'js') await runJs();
  else await runBrowser();
}
console.log(`${total.passed} passed, ${total.failed} failed`);
if (total.failed > 0) process.exitCode ||= 1;
