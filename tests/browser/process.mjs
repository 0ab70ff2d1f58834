// SPDX-License-Identifier: Apache-2.0
// Processes: starting one, knowing every process it started in turn, and
// ending them by pid.
//
// Descendants are found two ways, both from /proc: by parent, and by a mark in
// the environment, for a daemon that has left its parent (Chromium's crash
// handler does).  A pid counts as the same process only with the same start
// time.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { step, until } from './step.mjs';

const MARK = 'FORTNIGHT_TEST_MARK';

/** @typedef {{pid: number, started: string, name: string}} Process */

/** @param {number} pid */
function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const end = text.lastIndexOf(')');
    const rest = text.slice(end + 2).split(' ');
    return {
      pid,
      name: text.slice(text.indexOf('(') + 1, end),
      state: rest[0],
      parent: Number(rest[1]),
      started: rest[19],
    };
  } catch {
    return null;
  }
}

/**
 * @param {number} pid
 * @param {string} mark
 */
function isMarked(pid, mark) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
      .split('\0').includes(`${MARK}=${mark}`);
  } catch {
    return false;
  }
}

/**
 * |roots| and all that descends from them, and all that carries |mark|.
 * @param {number[]} roots
 * @param {string} mark
 * @returns {Process[]}
 */
function family(roots, mark) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    .map((name) => stat(Number(name)))
    .filter((it) => it !== null)
    .filter((it) => it.state !== 'Z' && it.state !== 'X');
  const inside = new Set(roots);
  for (const it of all) if (isMarked(it.pid, mark)) inside.add(it.pid);
  for (let before = -1; before !== inside.size;) {
    before = inside.size;
    for (const it of all) if (inside.has(it.parent)) inside.add(it.pid);
  }
  return all.filter((it) => inside.has(it.pid))
    .map(({ pid, started, name }) => ({ pid, started, name }));
}

/** @param {Process} it */
function isAlive(it) {
  const now = stat(it.pid);
  return now !== null && now.started === it.started
    && now.state !== 'Z' && now.state !== 'X';
}

/** @param {Process} it */
function end(it) {
  try {
    if (isAlive(it)) process.kill(it.pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

/** @type {Set<() => void>} */
const cleanups = new Set();

/** Ends everything that is still there: the runner itself is being ended. */
export function endEverything() {
  for (const cleanup of [...cleanups]) cleanup();
}

/**
 * A folder of its own for one process, and a mark to know its family by.
 * @param {string} name
 */
export function makeScratch(name) {
  const folder = mkdtempSync(join(tmpdir(), `fortnight-${name}-`));
  const mark = randomUUID();
  const home = join(folder, 'home');
  const temporary = join(folder, 'tmp');
  mkdirSync(home);
  mkdirSync(temporary);
  /** @type {number[]} */
  const roots = [];
  /** @type {Map<string, Process>} */
  const seen = new Map();
  const scratch = {
    folder,
    /** @type {Record<string, string>} */
    env: {
      .../** @type {Record<string, string>} */ (process.env),
      HOME: home,
      XDG_STATE_HOME: join(home, '.local/state'),
      STATE_DIRECTORY: '',
      TMPDIR: temporary,
      XDG_RUNTIME_DIR: folder,
      NO_COLOR: '1',
      [MARK]: mark,
    },
    temporary,
    roots,

    /** Everything that was started under this mark and still runs. */
    family() {
      for (const it of family(roots, mark)) {
        seen.set(`${it.pid} ${it.started}`, it);
      }
      return [...seen.values()].filter(isAlive);
    },

    /**
     * Waits until nothing of the family is left; what does stay is ended, and
     * is an error.
     * @param {string} what
     */
    async gone(what) {
      try {
        await until(what, () => scratch.family().length === 0, 10_000);
      } catch {
        const left = scratch.family();
        left.forEach(end);
        throw new Error(`${what}: still running: `
          + left.map((it) => `${it.name} (${it.pid})`).join(', '));
      }
    },

    remove() {
      cleanups.delete(cleanup);
      scratch.family().forEach(end);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  const cleanup = () => scratch.remove();
  cleanups.add(cleanup);
  return scratch;
}

/** @typedef {ReturnType<typeof makeScratch>} Scratch */

/**
 * @typedef {object} Running
 * @property {number} pid
 * @property {Scratch} scratch
 * @property {Promise<{code: number | null, signal: string | null}>} exited
 * @property {() => string[]} stdout  its lines so far
 * @property {() => string} stderr    its text so far
 * @property {(prefix: string) => Promise<string>} line  the first line that
 *     begins so; fails when the process ends before
 * @property {import('node:stream').Writable} stdin
 * @property {(watcher: (line: string) => void) => void} onLine
 * @property {(signal: NodeJS.Signals, group?: boolean) => void} kill
 */

/**
 * Starts |command| in a process group of its own.
 * @param {object} options
 * @param {string} options.name
 * @param {string} options.command
 * @param {string[] | ((folder: string) => string[])} options.args  a function
 *     gets the folder that is this process's own
 * @param {string} [options.cwd]
 * @param {Record<string, string>} [options.env]
 * @returns {Running}
 */
export function start({ name, command, args, cwd, env = {} }) {
  const scratch = makeScratch(name);
  const list = typeof args === 'function' ? args(scratch.folder) : args;
  const child = spawn(command, list, {
    cwd,
    env: { ...scratch.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  if (child.pid !== undefined) scratch.roots.push(child.pid);
  child.stdin.on('error', () => {});
  /** @type {string[]} */
  const lines = [];
  let errors = '';
  /** @type {((line: string) => void)[]} */
  const lineWatchers = [];
  /** @type {(() => void)[]} */
  let watchers = [];
  const changed = () => { for (const watcher of watchers) watcher(); };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    for (const watcher of lineWatchers) watcher(line);
    changed();
  });
  child.stderr.setEncoding('utf8').on('data', (text) => { errors += text; });
  let ended = false;
  /** @type {Promise<{code: number | null, signal: string | null}>} */
  const exited = new Promise((resolve, reject) => {
    child.on('error', (error) => {
      ended = true;
      reject(new Error(`${command}: ${error.message}`));
      changed();
    });
    child.on('close', (code, signal) => {
      ended = true;
      resolve({ code, signal });
      changed();
    });
  });
  exited.catch(() => {});
  return {
    pid: child.pid ?? 0,
    scratch,
    exited,
    stdin: child.stdin,
    onLine: (watcher) => { lineWatchers.push(watcher); },
    stdout: () => lines,
    stderr: () => errors,
    line: (prefix) => new Promise((resolve, reject) => {
      const look = () => {
        const found = lines.find((it) => it.startsWith(prefix));
        if (found === undefined && !ended) return;
        watchers = watchers.filter((it) => it !== look);
        if (found !== undefined) { resolve(found); return; }
        exited.then(({ code, signal }) => reject(new Error(
          `${name} ended (${signal ?? code}) before "${prefix.trim()}": `
          + `${errors.trim().split('\n').slice(-3).join(' | ')}`)), reject);
      };
      watchers.push(look);
      look();
    }),
    kill(signal, group = false) {
      if (child.pid !== undefined) process.kill(group ? -child.pid : child.pid, signal);
    },
  };
}

/**
 * Runs |command| to its end.
 * @param {Parameters<typeof start>[0]} options
 * @param {number} [ms]
 */
export async function run(options, ms = 20_000) {
  const running = start(options);
  try {
    const { code, signal } = await step(`${options.name} ends`, running.exited, ms);
    await running.scratch.gone(`${options.name} left nothing behind`);
    return { code, signal, stdout: running.stdout(), stderr: running.stderr() };
  } finally {
    running.scratch.remove();
  }
}
