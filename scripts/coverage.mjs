// SPDX-License-Identifier: Apache-2.0
// `make coverage`: how much of certmgr/ its tests reach, by gcov.
//
//   node scripts/coverage.mjs [--missing]
//
// Runs the tests of certmgr/ that were built with --coverage, and prints lines
// and branches of each file; with --missing, those that were never reached.
// Fails if a test does, if less than 90 % of all lines were reached, or if a
// branch of the lifecycle never was.  What is compiled as WebAssembly only
// (*_web.c) is tested there, and is not counted.

import { spawnSync } from 'node:child_process';
import { globSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * What is used of gcov's JSON.
 * @typedef {object} GcovLine
 * @property {number} line_number
 * @property {number} count
 * @property {{ count: number }[]} branches
 *
 * @typedef {object} GcovFile
 * @property {string} file
 * @property {GcovLine[]} lines
 *
 * @typedef {object} Row
 * @property {string} file
 * @property {number} lines
 * @property {number} linesReached
 * @property {number} branches
 * @property {number} branchesTaken
 * @property {string[]} missing
 */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILD = 'build/coverage';

/** Percent of the lines of certmgr/. */
const LINES_MIN = 90;

/** All of the branches here. */
const COMPLETE = /^certmgr\/lifecycle(_[a-z]+)?\.c$/;

/** The tests of certmgr/, and those that live in its worlds. */
const TESTS = /\/(certmgr\/|tests\/sim\/(lifecycle|crash|torture|state)_)/;

/**
 * @param {string} command
 * @param {string[]} args
 */
function run(command, args) {
  const done = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (done.error) throw done.error;
  return done;
}

function runTests() {
  const list = run('make', ['-s', '-f', 'scripts/build.mk', 'VARIANT=coverage',
    'list-tests']);
  const programs = list.stdout.trim().split(/\s+/).filter(
    (name) => TESTS.test(name));
  let failed = programs.length === 0 ? 1 : 0;
  for (const program of programs) {
    const { status, stdout, stderr } = run(program, []);
    if (status === 0) continue;
    console.log(`FAIL  ${program}\n${stdout}${stderr}`);
    failed++;
  }
  return failed;
}

/**
 * One object file's counts.
 * @param {string} data
 * @returns {Row}
 */
function measure(data) {
  const { stdout } = run('gcov', ['--json-format', '--stdout',
    '--branch-probabilities', data]);
  const source = `${data.slice(BUILD.length + 1, -'.gcda'.length)}.c`;
  /** @type {GcovFile[]} */
  const files = JSON.parse(stdout).files;
  const lines = files.find(({ file }) =>
    resolve(ROOT, file) === resolve(ROOT, source))?.lines ?? [];
  const missing = [];
  let branches = 0;
  let branchesTaken = 0;
  for (const line of lines) {
    const taken = line.branches.filter(({ count }) => count > 0).length;
    branches += line.branches.length;
    branchesTaken += taken;
    if (line.count === 0) missing.push(`${source}:${line.line_number}: line`);
    else if (taken < line.branches.length) {
      missing.push(`${source}:${line.line_number}: ${
        line.branches.map(({ count }) => count).join(' ')}`);
    }
  }
  return {
    file: source,
    lines: lines.length,
    linesReached: lines.filter(({ count }) => count > 0).length,
    branches,
    branchesTaken,
    missing,
  };
}

/**
 * @param {number} part
 * @param {number} whole
 */
function percent(part, whole) {
  return whole === 0 ? 100 : (100 * part) / whole;
}

/** @param {Row} row */
function print(row) {
  const one = (/** @type {number} */ part, /** @type {number} */ whole) =>
    `${percent(part, whole).toFixed(1).padStart(6)} % of ${
      String(whole).padStart(5)}`;
  console.log(`${row.file.padEnd(32)} ${
    one(row.linesReached, row.lines)} lines ${
    one(row.branchesTaken, row.branches)} branches`);
}

for (const old of globSync(`${BUILD}/**/*.gcda`, { cwd: ROOT })) {
  rmSync(resolve(ROOT, old));
}
let failed = runTests();
const rows = globSync(`${BUILD}/certmgr/*.gcda`, { cwd: ROOT })
  .filter((name) => !name.endsWith('_test.gcda')).sort().map(measure);
const total = rows.reduce((sum, row) => ({
  file: 'certmgr/',
  lines: sum.lines + row.lines,
  linesReached: sum.linesReached + row.linesReached,
  branches: sum.branches + row.branches,
  branchesTaken: sum.branchesTaken + row.branchesTaken,
  missing: [],
}), {
  file: '', lines: 0, linesReached: 0, branches: 0, branchesTaken: 0, missing: [],
});
for (const row of [...rows, total]) print(row);
for (const row of rows) {
  const complete = COMPLETE.test(row.file);
  const short = complete && row.branchesTaken < row.branches;
  if (short || process.argv.includes('--missing')) {
    for (const line of row.missing) console.log(line);
  }
  if (short) {
    console.log(`FAIL  ${row.file}: all its branches should be taken`);
    failed++;
  }
}
if (percent(total.linesReached, total.lines) < LINES_MIN || rows.length === 0) {
  console.log(`FAIL  certmgr/: less than ${LINES_MIN} % of its lines`);
  failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
