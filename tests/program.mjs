// SPDX-License-Identifier: Apache-2.0
/** The server as a program, for tests: what it prints, and its control socket. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * Where it keeps what, all below |folder|.
 * @param {string} folder
 */
export const homes = (folder) => ({ XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: folder, STATE_DIRECTORY: '' });

/**
 * @param {import('node:test').TestContext} t
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
export function startProgram(t, command, args, env) {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  t.after(() => child.kill('SIGKILL'));
  /** @type {string[]} */
  const errors = [];
  const log = createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const closed = once(child, 'close');
  return {
    child,
    errors,
    /**
     * The first line that |pattern| is found in, once it is there.
     * @param {RegExp} pattern
     * @returns {Promise<string>}
     */
    async logged(pattern) {
      let line;
      while (!(line = errors.find((line) => pattern.test(line)))) await once(log, 'line');
      return line;
    },
    /** Its exit code, once all that it wrote is read. */
    exit: async () => (await closed)[0],
    /** The ready line's object. */
    ready: async () => {
      const { value, done } = await lines.next();
      assert.ok(!done, `it ended: ${errors.join(' ')}`);
      assert.match(value, /^ready \{.*\}$/);
      return JSON.parse(value.slice('ready '.length));
    },
  };
}

/**
 * @param {string} path
 * @param {object} command
 */
export async function control(path, command) {
  const client = connect(path);
  client.write(`${JSON.stringify(command)}\n`);
  for await (const line of createInterface({ input: client })) {
    client.destroy();
    return JSON.parse(line);
  }
  throw new Error('no answer');
}
