// SPDX-License-Identifier: Apache-2.0
/**
 * `make bench`: the native appliance, the WebAssembly on Node, and the
 * Isolated Web App under the same load in one run, each beside a bare UDP echo
 * on the same kind of socket, which is what can be had there without QUIC; and
 * what rotations of the certificate do to those who are connected; and how long
 * a person waits for the app.
 *
 *   node tests/bench/main.mjs [--only native,node,iwa,rotations,start] [--json FILE]
 *       [--seconds S] [--rounds N] [--rate R] [--rotations N] [--swaps N] [--pin]
 *
 * With "--only rotations" the hosts have their rotations and nothing else;
 * with "--only native,rotations" that one has everything.  "--only quinn" sets
 * the native appliance beside servers that are built on quinn ("--pin": each
 * with one processor, and the generator with another), "--only memory" says
 * what idle sessions cost, and "--only start" has the waiting alone.
 *
 * Figures depend on the machine and on what else it does; ratios within one
 * run are what may be compared.  All of them take turns, and each figure is
 * the median of the rounds, what is "of bare" that of their ratios.  The last
 * row has no server at all: what it shows is what the load generator makes up
 * by itself.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { measureMemory, printMemory } from './memory.mjs';
import { ROOT, say, stopAll } from './programs.mjs';
import { measureQuinn, printQuinn, summarizeQuinn } from './quinn.mjs';
import { HOST_NAMES, measureRotations, printRotations, summarizeRotations } from './rotations.mjs';
import { measureStart, printStart, summarizeStart } from './start.mjs';
import { control, measure, print, summary, TARGETS } from './throughput.mjs';

const { values } = parseArgs({ options: {
  seconds: { type: 'string', default: '2' },
  rounds: { type: 'string', default: '3' },
  rate: { type: 'string', default: '2000' },
  rotations: { type: 'string', default: '1000' },
  swaps: { type: 'string', default: '200' },
  pin: { type: 'boolean', default: false },
  only: { type: 'string', default: 'native,node,iwa,rotations,start' },
  json: { type: 'string', default: join(ROOT, 'build/bench.json') },
} });
const settings = {
  seconds: atLeast('seconds', 0.1),
  rounds: Math.round(atLeast('rounds', 1)),
  rate: atLeast('rate', 1),
  rotations: Math.round(atLeast('rotations', 10)),
  swaps: Math.round(atLeast('swaps', 1)),
  pin: values.pin,
};

/**
 * @param {'seconds'|'rounds'|'rate'|'rotations'|'swaps'} name
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

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => {
    stopAll().then(() => process.exit(130));
  });
}

const wanted = values.only.split(',');
const unknown = wanted.find((name) => !['rotations', 'quinn', 'memory', 'start'].includes(name)
  && !TARGETS.some((target) => target.name === name));
if (unknown !== undefined) {
  console.error(`bench: --only ${unknown}: native, node, iwa, rotations, quinn, memory, start`);
  process.exit(2);
}
const targets = TARGETS.filter(({ name }) => wanted.includes(name));
const rotating = !wanted.includes('rotations') ? []
  : HOST_NAMES.filter((name) => targets.length === 0 || wanted.includes(name));
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
/** @type {Awaited<ReturnType<typeof measure>>} */
const rows = [];
/** @type {Awaited<ReturnType<typeof measureRotations>>} */
let rotations = [];
/** @type {Awaited<ReturnType<typeof measureQuinn>>} */
let quinn = [];
/** @type {Awaited<ReturnType<typeof measureMemory>>} */
let memory = [];
/** @type {Awaited<ReturnType<typeof measureStart>>} */
let start = [];
try {
  if (targets.length > 0) rows.push(...await measure(targets, settings), await control(settings));
  if (wanted.includes('quinn')) quinn = await measureQuinn(settings);
  if (wanted.includes('memory')) memory = await measureMemory();
  if (rotating.length > 0) rotations = await measureRotations(rotating, settings);
  if (wanted.includes('start')) start = await measureStart();
} catch (error) {
  console.error(`bench: ${/** @type {Error} */ (error).message}`);
  process.exitCode = 1;
}
await stopAll();
if (rows.length > 0) print(rows, settings);
if (quinn.length > 0) printQuinn(quinn, settings);
if (memory.length > 0) printMemory(memory);
if (rotations.length > 0) await printRotations(rotations, settings);
if (start.length > 0) printStart(start);
if (rows.length + quinn.length + memory.length + rotations.length + start.length > 0) {
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify({ machine, ...settings,
    summary: Object.fromEntries(rows.map((row) => [row.name, summary(row)])), rows,
    quinnSummary: summarizeQuinn(quinn), quinn, memory,
    rotationsSummary: summarizeRotations(rotations), rotationsRows: rotations,
    startSummary: summarizeStart(start), start }, null, 2)}\n`);
  console.log(`${machine.cpus} x ${machine.cpu}; everything in ${relative(process.cwd(), values.json)}`);
}
