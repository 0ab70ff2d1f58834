// SPDX-License-Identifier: Apache-2.0
/** What sessions that do nothing cost in memory, once they are there. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE, run, say } from './programs.mjs';
import { table, whole } from './table.mjs';

/**
 * @typedef {object} Sample
 * @property {number} at milliseconds
 * @property {number} rss octets
 * @property {number} pss octets
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {string} title
 * @property {number} sessions
 * @property {Sample} before
 * @property {Sample} during
 * @property {Sample} after
 * @property {number} [wasm] octets of the WebAssembly's memory with all of them
 */

/* So long they stay; the sample is from this long before they go. */
const STAY_S = 6;
const SETTLED_MS = 2000;
const CONNECT_S = 90;
const SAMPLE_MS = 200;

const TARGETS = [
  { name: 'native', title: 'native', sessions: 2000,
    command: ['build/native/fortnight', 'serve', '--drain', '0', '--http', 'off'] },
  { name: 'node', title: 'WASM on Node', sessions: 200,
    command: [NODE, '--import', './tests/bench/wasm_memory.mjs', 'scripts/serve-wasm.mjs',
      '--drain', '0'] },
];

/** @param {number} pid @returns {Sample} */
function sample(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const octets = (/** @type {string} */ name) =>
    1024 * Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1]);
  return { at: Date.now(), rss: octets('Rss'), pss: octets('Pss') };
}

/**
 * @param {typeof TARGETS[number]} target
 * @returns {Promise<Row>}
 */
async function measureOne({ name, title, sessions, command }) {
  say(`${title}: ${sessions} idle sessions`);
  /** @type {number|undefined} */
  let wasm;
  const { child, lines } = await run([...command, '--port', '0', '--ephemeral'], 60_000, {
    until: (line) => line.startsWith('ready '),
    onLine: (line) => {
      if (line.startsWith('memory ')) wasm = Number(line.slice('memory '.length));
    },
  });
  const pid = /** @type {number} */ (child.pid);
  const { url, hashes } = JSON.parse(lines[lines.length - 1].slice('ready '.length));
  const ended = new Promise((resolve) => {
    child.once('close', resolve);
  });
  try {
    await sleep(1000);
    const before = sample(pid);
    /** @type {Sample[]} */
    const samples = [];
    const timer = setInterval(() => {
      samples.push(sample(pid));
      if (name === 'node') child.kill('SIGUSR2');
    }, SAMPLE_MS);
    const command = ['build/native/load', url, '--hash', hashes[0].hex, '--mode', 'idle',
      '--connections', String(sessions), '--duration', String(STAY_S),
      '--connect', String(CONNECT_S)];
    const result = await run(command, (CONNECT_S + STAY_S + 10) * 1000)
      .finally(() => clearInterval(timer));
    const end = Date.now();
    const { sessions: up } = JSON.parse(result.lines[result.lines.length - 1]);
    if (up !== sessions) throw new Error(`${title}: of ${sessions} sessions ${up} were there`);
    const during = samples.findLast(({ at }) => at < end - SETTLED_MS) ?? before;
    return { name, title, sessions, before, during, after: sample(pid), wasm };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

export async function measureMemory() {
  /** @type {Row[]} */
  const rows = [];
  for (const target of TARGETS) rows.push(await measureOne(target));
  return rows;
}

const mebi = (/** @type {number} */ n) => `${(n / 1048576).toFixed(1)} MiB`;

/** @param {Row[]} rows */
export function printMemory(rows) {
  console.log('\nResident memory with sessions that do nothing, and what each of them adds to it');
  table(['', 'sessions', 'before', 'with them', 'gone', 'each', 'proportional', 'WASM memory'],
    rows.map(({ title, sessions, before, during, after, wasm }) => [title, whole(sessions),
      mebi(before.rss), mebi(during.rss), mebi(after.rss),
      `${((during.rss - before.rss) / sessions / 1024).toFixed(1)} KiB`,
      `${((during.pss - before.pss) / sessions / 1024).toFixed(1)} KiB`,
      wasm === undefined ? '-' : mebi(wasm)]));
}
