// SPDX-License-Identifier: Apache-2.0
/**
 * What rotations do to those who are there and to those who come: how long the
 * server stands still, whether anybody is refused or dropped, and whether it
 * grows.
 *
 * How long it stands still is seen from outside, and so with all that the
 * machine does besides; the time for which its thread has a processor for a
 * rotation, command and publication and all, is not disturbed by that.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { NODE, ROOT, run, say, start } from './programs.mjs';
import { table, time, whole } from './table.mjs';

/**
 * @typedef {object} Settings
 * @property {number} rotations of the load
 * @property {number} swaps for the pause
 * @property {number} rate datagrams a second, for the pause
 *
 * @typedef {object} Row
 * @property {string} title
 * @property {Record<string, any>} pause what the program rotations prints
 * @property {Record<string, any>} load
 * @property {Memory} memory under that load
 * @property {Alone} alone
 *
 * @typedef {object} Memory kB, of samples taken after so many rotations each
 * @property {number[]} rss
 * @property {number[]} own what it has written, and no other process shares
 * @property {number} every
 *
 * @typedef {object} Alone nobody there but one session that hardly sends
 * @property {number} cpu microseconds of the server's thread for each rotation
 * @property {Memory} memory
 */

/* New sessions a second, and sessions that stay, under load. */
const VISITS = 60;
const STAY = 8;
/* Datagrams a second of those. */
const LOAD_RATE = 400;
const WINDOW_MS = 100;

/* Where the heap has to grow for a peak of handshakes, it does so at once: so
   many of the largest steps are looked at apart from the rest. */
const STEPS = 5;

/** Each serves with its state on a disk, and with none. */
const HOSTS = [
  { name: 'native', title: 'native', command: ['build/native/fortnight', 'serve', '--drain', '0', '--port', '0'] },
  { name: 'node', title: 'WASM on Node', command: [NODE, 'scripts/serve-wasm.mjs', '--drain', '0', '--port', '0'] },
];

export const HOST_NAMES = HOSTS.map(({ name }) => name);

/**
 * @param {string} text of /proc/PID/smaps_rollup
 * @param {RegExp} name
 */
function kilobytes(text, name) {
  return [...text.matchAll(/^(\w+): +(\d+) kB$/gm)]
    .filter(([, key]) => name.test(key)).reduce((sum, [, , n]) => sum + Number(n), 0);
}

/** @typedef {Pick<import('./programs.mjs').Program, 'control' | 'pid'>} Server */

/**
 * Commands rotations of |program|.
 * @param {Server} program
 * @param {number} count
 * @param {string[]} args
 * @param {number} [every] after so many rotations a sample of the memory
 * @param {number} [ms] from one to the next, or as long as it takes
 */
async function rotate(program, count, args, every = Infinity, ms = WINDOW_MS) {
  /** @type {Memory} */
  const memory = { rss: [], own: [], every };
  const command = ['build/native/rotations', '--control', program.control,
    '--rotations', String(count), '--window', String(ms), ...args];
  const { lines } = await run(command, 60_000 + count * 50 * ms, {
    onLine(line) {
      const [word, n] = line.split(' ');
      if (word !== 'rotation' || Number(n) % every !== 0) return;
      const text = readFileSync(`/proc/${program.pid}/smaps_rollup`, 'utf8');
      memory.rss.push(kilobytes(text, /^Rss$/));
      // Not Private_Clean: pages of the program file, which are shared with every
      // other that runs it, and its own when that ends.
      memory.own.push(kilobytes(text, /^Private_Dirty$/));
    },
  });
  const result = JSON.parse(lines[lines.length - 1]);
  if (result.wrong > 0) throw new Error(`${command.join(' ')}: what came back is not what was sent`);
  return { result, memory };
}

/**
 * Sessions that stay and new ones all the time.
 * @param {Server} program
 * @param {number} count
 * @param {object} [how]
 * @param {number} [how.every] after so many rotations a sample of the memory
 * @param {number} [how.visits] new sessions a second
 * @param {number} [how.patience] seconds after which one of them has failed
 */
export function underLoad(program, count, { every, visits = VISITS, patience = 10 } = {}) {
  return rotate(program, count, ['--every', '--stay', String(STAY),
    '--rate', String(LOAD_RATE), '--visits', String(visits),
    '--patience', String(patience)], every);
}

/**
 * Microseconds for which the thread of |program| that serves has had a
 * processor.
 * @param {Server} program
 */
function processorTime({ pid }) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[0]) / 1000;
}

/**
 * Nobody there but one session that hardly sends.
 * @param {Server} program
 * @param {number} count
 * @param {number} every after so many rotations a sample of the memory
 * @returns {Promise<Alone>}
 */
export async function alone(program, count, every) {
  const before = processorTime(program);
  const { result, memory } = await rotate(program, count, ['--every', '--rate', '1'], every, 10);
  if (result.dropped > 0) throw new Error('the session was dropped');
  return { cpu: (processorTime(program) - before) / count, memory };
}

/**
 * @param {string[]} names
 * @param {Settings} settings
 * @returns {Promise<Row[]>}
 */
export async function measureRotations(names, { rotations, swaps, rate }) {
  /** @type {Row[]} */
  const rows = [];
  for (const { title, command } of HOSTS.filter((it) => names.includes(it.name))) {
    for (const kept of [true, false]) {
      // Not below /tmp, which may be memory.
      const folder = mkdtempSync(join(ROOT, 'build/bench-'));
      const options = kept ? ['--state', join(folder, 'state')] : ['--ephemeral'];
      const row = `${title}, ${kept ? 'state on disk' : 'nothing kept'}`;
      /** @type {import('./programs.mjs').Program | undefined} */
      let program;
      try {
        say(`${row}: ${swaps} rotations for the pause`);
        program = await start([...command, ...options]);
        const pause = await rotate(program, swaps, ['--rate', String(rate)]);
        say(`${row}: ${rotations} rotations under load`);
        const load = await underLoad(program, rotations, { every: 10 });
        say(`${row}: ${rotations} rotations and nothing else`);
        const quiet = await alone(program, rotations, 10);
        rows.push({ title: row, pause: pause.result, load: load.result, memory: load.memory,
          alone: quiet });
      } finally {
        await program?.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    }
  }
  return rows;
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * How |values| grow.
 * @param {number[]} values
 * @param {number} every rotations from one to the next
 */
export function growth(values, every) {
  const n = values.length;
  const quarter = Math.max(1, n >> 2);
  const middle = (n - 1) / 2;
  const average = mean(values);
  const steps = values.slice(1).map((value, i) => value - values[i]).sort((a, b) => b - a);
  let above = 0;
  let below = 0;
  values.forEach((value, i) => {
    above += (i - middle) * (value - average);
    below += (i - middle) ** 2;
  });
  return {
    first: mean(values.slice(0, quarter)),
    last: mean(values.slice(-quarter)),
    slope: n > 1 ? above / below / every : 0,
    steps: steps.slice(0, STEPS),
    rest: steps.slice(STEPS).reduce((sum, step) => sum + step, 0),
  };
}

/**
 * The longest single call of each rotation in the native appliance, without a
 * network: what a packet may have to wait for.
 * @param {number} count
 */
async function nativePause(count) {
  const folder = mkdtempSync(join(ROOT, 'build/bench-'));
  try {
    const rows = [];
    for (const [title, ...args] of [['state on disk', join(folder, 'state')], ['nothing kept']]) {
      const { lines } = await run(['build/native/swap_pause', String(count), ...args], 120_000);
      rows.push({ title, ...JSON.parse(lines[0]) });
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {Row[]} rows */
export function summarizeRotations(rows) {
  return rows.map(({ title, pause, load, memory, alone: { cpu, memory: quiet } }) => ({
    title,
    pause: { ...pause.worst_us, p99: pause.worst_us.rotation.p99 - pause.worst_us.quiet.p99,
      reply: pause.reply_us },
    visits: load.visits, dropped: load.dropped, stay: load.stay, rotations: load.rotations,
    lost: load.datagrams.offered - load.datagrams.echoed,
    rss: growth(memory.rss, memory.every), own: growth(memory.own, memory.every),
    alone: { cpu, own: growth(quiet.own, quiet.every) },
  }));
}

/**
 * @param {Row[]} rows
 * @param {Settings} settings
 */
export async function printRotations(rows, { swaps, rotations, rate }) {
  const sums = summarizeRotations(rows);
  console.log(`\nThe longest single call of each of ${whole(rotations)} rotations, natively and without a network`);
  table(['', 'p50', 'p99', 'max', 'by its processor time p50', 'p99', 'max'],
    (await nativePause(rotations)).map(({ title, wall_us: wall, cpu_us: cpu }) => [title,
      time(wall.p50), time(wall.p99), time(wall.max),
      time(cpu.p50), time(cpu.p99), time(cpu.max)]));
  console.log(`\nThe pause of a rotation: the largest latency of ${whole(rate)} datagrams a second in each\n`
    + `of ${swaps} windows of ${WINDOW_MS} ms with a rotation, and in as many without one, by turns; the\n`
    + 'excess is of each over the quiet one before it.  CPU: what a rotation takes of the thread');
  table(['', 'p50', 'p99', 'max', 'quiet p50', 'p99', 'max', 'excess p50', 'p99', 'p99 - p99',
    'CPU'],
  sums.map(({ title, pause: { rotation, quiet, excess, p99 }, alone: { cpu } }) => [title,
    time(rotation.p50), time(rotation.p99), time(rotation.max),
    time(quiet.p50), time(quiet.p99), time(quiet.max),
    time(excess.p50), time(excess.p99), time(p99), time(cpu)]));
  console.log(`${whole(rotations)} rotations under load: ${STAY} sessions that stay, new ones all the time`);
  table(['', 'rotations', 'new/s', 'served', 'by standby', 'failed', 'dropped', 'p50', 'p99',
    'datagrams lost'],
  sums.map(({ title, visits, dropped, rotations: done, lost }) => [title, whole(done),
    visits.per_second.toFixed(1), whole(visits.served), whole(visits.by_standby),
    whole(visits.failed + visits.unstarted), whole(dropped),
    time(visits.latency_us.p50), time(visits.latency_us.p99), whole(lost)]));
  console.log('Memory of the server in kB, of the first and the last quarter of the samples: under that load,\n'
    + `with the slope of the line through all, the ${STEPS} largest steps, and what the others add up to;\n`
    + 'and with as many rotations and nothing else');
  table(['', 'resident', 'last', 'its own', 'last', 'a rotation', 'steps', 'rest',
    'alone', 'last', 'a rotation'],
  sums.map(({ title, rss, own, alone: { own: quiet } }) => [title,
    whole(rss.first), whole(rss.last), whole(own.first), whole(own.last),
    own.slope.toFixed(2), own.steps.join('+'), whole(own.rest),
    whole(quiet.first), whole(quiet.last), quiet.slope.toFixed(2)]));
}
