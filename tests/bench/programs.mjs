// SPDX-License-Identifier: Apache-2.0
// The programs of the bench: started, awaited, and ended whatever happens.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const NODE = process.execPath;

/* A browser takes a while to come up on a busy machine. */
const START_MS = 60_000;
const STOP_MS = 15_000;

/**
 * @typedef {import('node:child_process').ChildProcess} ChildProcess
 *
 * @typedef {object} Program something that serves
 * @property {string} url
 * @property {string} hash '' if it does not tell, as the bare echo
 * @property {number} pid
 * @property {string} control where it takes commands; '' for the bare echo
 * @property {() => Promise<void>} stop
 */

/** @type {Set<ChildProcess>} */
const children = new Set();

/** @param {string} text */
export const say = (text) => process.stderr.write(`${text}\n`);

/**
 * @param {string[]} command
 * @param {number} ms
 * @param {object} [watch]
 * @param {(line: string) => boolean} [watch.until] whether |line| is what is
 *     awaited; without it, the end of the program is
 * @param {(line: string) => void} [watch.onLine]
 * @returns {Promise<{child: ChildProcess, lines: string[]}>}
 */
export function run(command, ms, { until, onLine } = {}) {
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
        onLine?.(line);
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

/** @param {ChildProcess} child */
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

/** Ends all that still run. */
export function stopAll() {
  return Promise.all([...children].map(stop));
}

/**
 * @param {string[]} command
 * @returns {Promise<Program>}
 */
export async function start(command) {
  const { child, lines } = await run(command, START_MS,
    { until: (line) => line.startsWith('ready ') });
  const pid = /** @type {number} */ (child.pid);
  const told = lines[lines.length - 1].slice('ready '.length);
  if (!told.startsWith('{')) {
    return { url: `udp://${told}/`, hash: '', pid, control: '', stop: () => stop(child) };
  }
  const { url, hashes, control = '' } = JSON.parse(told);
  const { hex = '' } = hashes.find((/** @type {{use: string}} */ { use }) => use === 'active') ?? {};
  return { url, hash: hex, pid, control, stop: () => stop(child) };
}
