// SPDX-License-Identifier: Apache-2.0
// A server under test: a process that prints "ready {…}" once it serves, and
// that can be commanded.

import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { start } from '../process.mjs';
import { expect, step } from '../step.mjs';

/**
 * One certificate; times in seconds since 1970 UTC.
 * @typedef {object} Hash
 * @property {'active' | 'standby'} use
 * @property {string} hex
 * @property {string} b64url
 * @property {number} not_before
 * @property {number} not_after
 * @property {number} active_from
 * @property {number} active_until
 */

/** @typedef {{url: string, link: string, identity: string, seq: number, hashes: Hash[]}} HashSet */

/** @typedef {HashSet & {pid: number, control?: string}} Ready */

/**
 * @typedef {object} Kind  one of the three ways in which Fortnight runs
 * @property {string} name
 * @property {(args: string[]) => Parameters<typeof start>[0]} process  how to
 *     start it with these options
 * @property {number} readyMs  how long it may take to serve
 * @property {(control: string) => Parameters<typeof start>[0]} [rotateProgram]
 *     the command that swaps the certificate, where there is one
 * @property {(process: Parameters<typeof start>[0], clock: import('../../clock/clock.mjs').Clock) => Parameters<typeof start>[0]} [clocked]
 *     the same process with a wall clock that can be moved, where there is one
 */

/**
 * @typedef {object} Server
 * @property {Kind} kind
 * @property {Ready} ready
 * @property {import('../process.mjs').Running} running
 * @property {(command: Record<string, unknown>) => Promise<any>} command
 * @property {() => Promise<void>} stop  by SIGTERM; fails unless it ends with 0
 *     and leaves no process
 */

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/**
 * One command over the control socket: a JSON line there, one back.
 * @param {string} path
 * @param {Record<string, unknown>} command
 * @returns {Promise<any>}
 */
export function controlCommand(path, command) {
  const reply = new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.on('error', reject);
    createInterface({ input: socket }).on('line', (line) => {
      socket.end();
      try {
        resolve(JSON.parse(line));
      } catch (error) {
        reject(error);
      }
    }).on('close', () => reject(new Error('the control socket was closed')))
      .on('error', reject);
    socket.write(`${JSON.stringify({ id: 1, ...command })}\n`);
  });
  return step(`command ${command.command}`, reply);
}

/**
 * @param {any} set
 * @returns {{active: string, standby: string}}
 */
export function hashesByUse(set) {
  const of = (/** @type {string} */ use) => {
    const found = set?.hashes?.filter(
      (/** @type {Hash} */ it) => it.use === use) ?? [];
    expect(found.length === 1 && /^[0-9a-f]{64}$/.test(found[0].hex),
      `one ${use} hash is expected: ${JSON.stringify(set)}`);
    return found[0].hex;
  };
  return { active: of('active'), standby: of('standby') };
}

/**
 * @param {Kind} kind
 * @param {string[]} [args]
 * @param {import('../../clock/clock.mjs').Clock} [clock]  what it has for a wall
 *     clock
 * @returns {Promise<Server>}
 */
export async function startServer(kind, args = ['--port', '0', '--ephemeral'], clock) {
  const process = kind.process(args);
  if (clock && !kind.clocked) throw new Error(`${kind.name} has no clock that can be moved`);
  const running = start(clock && kind.clocked ? kind.clocked(process, clock) : process);
  try {
    const line = await step(`the ${kind.name} server is ready`,
      running.line('ready '), kind.readyMs);
    const ready = JSON.parse(line.slice('ready '.length));
    running.scratch.family();
    return {
      kind,
      ready,
      running,
      async command(command) {
        expect(ready.control, 'the ready line names no control socket');
        const reply = await controlCommand(ready.control, command);
        expect(!reply.error, `command ${command.command}: ${reply.error}`);
        return reply;
      },
      async stop() {
        running.scratch.family();
        running.kill('SIGTERM');
        const { code, signal } = await step('SIGTERM ends the server', running.exited);
        expect(code === 0, `the server ended with ${signal ?? code}`);
        await running.scratch.gone('the server left nothing behind');
      },
    };
  } catch (error) {
    running.scratch.remove();
    throw error;
  }
}
