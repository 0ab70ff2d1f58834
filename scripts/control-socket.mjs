// SPDX-License-Identifier: Apache-2.0
/**
 * The control socket on Node: a Unix socket that only its owner may open, with
 * one JSON command per line in and one JSON answer per line out, in order.
 * The native appliance speaks the same.
 */
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { ApplianceError } from '../ui/server/exit_codes.js';

/* A command is short: what is longer is none. */
const LINE_MAX = 65536;

/* The system's struct sockaddr_un has room for no more. */
const PATH_MAX = 107;

/**
 * @param {number} port the UDP port that is served
 * @returns {string} where the control socket is unless the person says
 */
export function defaultControlPath(port) {
  const base = process.env.XDG_RUNTIME_DIR || '/tmp';
  return join(base, `fortnight-${process.getuid?.() ?? 0}`, `${port}.sock`);
}

/**
 * Opens the control socket.  One that nobody answers any more is replaced.
 *
 * @param {object} init
 * @param {string} init.path
 * @param {boolean} init.own whether its folder is ours alone, and so is held
 *     to that
 * @param {(command: any) => Promise<any>} init.onCommand
 * @returns {Promise<{close: () => Promise<void>}>} rejected with an
 *     ApplianceError 'control-refused'
 */
export async function openControl({ path, own, onCommand }) {
  /** @type {(why: string) => never} */
  const refuse = (why) => {
    throw new ApplianceError('control-refused', `control socket ${path}: ${why}`);
  };
  if (Buffer.byteLength(path) > PATH_MAX) refuse(`the path is longer than ${PATH_MAX} octets`);
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    refuse(/** @type {Error} */ (error).message);
  }
  if (own) {
    const folder = lstatSync(dirname(path));
    if (!folder.isDirectory() || folder.uid !== process.getuid?.() || (folder.mode & 0o077) !== 0) {
      refuse('its folder is open to others');
    }
  }
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there) {
    if (!there.isSocket()) refuse('something else is there, and no socket');
    if (await answers(path)) refuse('another appliance answers there');
    unlinkSync(path);
  }

  /** @type {Set<import('node:net').Socket>} */
  const clients = new Set();
  const server = createServer((client) => {
    clients.add(client);
    client.on('error', () => client.destroy());
    client.on('close', () => clients.delete(client));
    serve(client, onCommand);
  });
  // Nobody else may open it, not even between bind and chmod.
  const umask = process.umask(0o177);
  try {
    const listening = new Promise((resolve, reject) => {
      server.once('listening', resolve);
      server.once('error', reject);
    });
    server.listen(path);
    await listening;
    chmodSync(path, 0o600);
  } catch (error) {
    refuse(/** @type {Error} */ (error).message);
  } finally {
    process.umask(umask);
  }
  return {
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      // What is written already still goes out.
      for (const client of clients) client.destroySoon();
    }),
  };
}

/**
 * @param {import('node:net').Socket} client
 * @param {(command: any) => Promise<any>} onCommand
 */
function serve(client, onCommand) {
  let rest = '';
  let turn = Promise.resolve();
  client.setEncoding('utf8');
  client.on('data', (/** @type {string} */ data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      turn = turn.then(async () => {
        const reply = await answer(line, onCommand);
        if (client.writable) client.write(`${JSON.stringify(reply)}\n`);
      });
    }
    if (rest.length > LINE_MAX) client.destroy();
  });
}

/**
 * @param {string} line
 * @param {(command: any) => Promise<any>} onCommand
 */
async function answer(line, onCommand) {
  try {
    const command = JSON.parse(line);
    if (typeof command?.command !== 'string') throw new Error('not a command');
    return await onCommand(command);
  } catch (error) {
    return { error: error instanceof SyntaxError ? 'not JSON' : /** @type {Error} */ (error).message };
  }
}

/**
 * @param {string} path
 * @returns {Promise<boolean>} whether somebody listens there
 */
function answers(path) {
  return new Promise((resolve) => {
    const client = connect(path);
    client.once('connect', () => {
      client.destroy();
      resolve(true);
    });
    client.once('error', (error) => {
      // One that may not be opened is somebody's all the same.
      resolve(!['ECONNREFUSED', 'ENOENT'].includes(/** @type {NodeJS.ErrnoException} */ (error).code ?? ''));
    });
  });
}
