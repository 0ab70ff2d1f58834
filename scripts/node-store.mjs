// SPDX-License-Identifier: Apache-2.0
/**
 * The appliance's state on Node: the folder that the native program has too,
 * with the same names, permissions and lock (certmgr/store_posix.c), so that
 * one may take up where the other has stopped.
 *
 * The lock is flock(2), which Node cannot ask for.  flock(1) can, for a file
 * descriptor that it inherits: the lock belongs to the open file and not to the
 * process that asked, so it stays for as long as this process has it open, and
 * the kernel takes it back however that ends.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync,
  renameSync, unlinkSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ApplianceError } from '../ui/server/exit_codes.js';

/** @typedef {import('../ui/server/types.d.ts').FortnightStore} FortnightStore */

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/**
 * Where the state is unless the person says: as the native program has it.
 * What is no absolute path is ignored; systemd may name several folders, and
 * the first is ours.
 * @param {Record<string, string|undefined>} [env]
 */
export function defaultStatePath(env = process.env) {
  if (env.STATE_DIRECTORY?.startsWith('/')) return env.STATE_DIRECTORY.split(':')[0];
  const folder = env.XDG_STATE_HOME?.startsWith('/') ? env.XDG_STATE_HOME : join(homedir(), '.local/state');
  return join(folder, 'fortnight');
}

/** @param {unknown} error */
const codeOf = (error) => /** @type {NodeJS.ErrnoException|undefined} */ (error)?.code;

/**
 * @param {string} code 'EACCES', …
 * @param {string} text
 */
const refusal = (code, text) => Object.assign(new Error(text), { code });

/**
 * Opens the folder |path|, which is made if it is not there.
 * @param {string} path
 * @returns {FortnightStore} throws an
 *     ApplianceError 'state-refused', whose message has the command that mends
 *     it if there is one
 */
export function openNodeStore(path) {
  /** @type {number[]} */
  const open = [];
  try {
    const folder = openFolder(path);
    open.push(folder);
    const lock = openSync(join(path, 'lock'), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    open.push(lock);
    takeLock(lock, path);
    return new NodeStore(path, folder, lock);
  } catch (error) {
    for (const fd of open) closeSync(fd);
    const { message } = /** @type {Error} */ (error);
    throw new ApplianceError('state-refused', message.includes(path) ? message : `${path}: ${message}`);
  }
}

/** @param {string} path */
function openFolder(path) {
  let made = false;
  try {
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(path, { mode: 0o700 });
    made = true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    if (made) flush(join(path, '..'));
    else checkMode(fd, path, path, 0o700);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/**
 * @param {number} fd
 * @param {string} path
 */
function takeLock(fd, path) {
  const { error, status, stderr } = spawnSync('flock', ['--exclusive', '--nonblock', '3'],
    { stdio: ['ignore', 'ignore', 'pipe', fd], encoding: 'utf8' });
  if (error) {
    throw codeOf(error) === 'ENOENT'
      ? new Error(`${path} cannot be locked: the command flock (of util-linux) is missing`) : error;
  }
  if (status === 1) throw refusal('EWOULDBLOCK', `${path} is in use by another process: give each server`
    + ' its own with --state DIR, or --ephemeral to keep nothing');
  if (status !== 0) throw new Error(`${path} cannot be locked: ${stderr.trim()}`);
}

/**
 * Flushes the folder |path|.
 * @param {string} path
 */
function flush(path) {
  const fd = openSync(path, O_RDONLY | O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether the file belongs to this user alone.
 * @param {number} fd
 * @param {string} name its path
 * @param {string} folder
 * @param {number} mode that it should have
 */
function checkMode(fd, name, folder, mode) {
  const stat = fstatSync(fd);
  if (stat.uid !== process.geteuid?.()) {
    throw refusal('EACCES', `${name} belongs to another user; if it is yours: `
      + `chown -R ${process.geteuid?.()} ${quoted(folder)}`);
  }
  if ((stat.mode & 0o077) !== 0) {
    throw refusal('EACCES',
      `${name} can be used by others; to mend it: chmod ${mode.toString(8)} ${quoted(name)}`);
  }
}

/** @param {string} path for a shell */
const quoted = (path) => `'${path.replaceAll("'", "'\\''")}'`;

/**
 * @param {number} fd
 * @param {Uint8Array} data
 */
function writeAll(fd, data) {
  for (let done = 0; done < data.length;) done += writeSync(fd, data, done, data.length - done);
}

/** @implements {FortnightStore} */
class NodeStore {
  #folder;
  #lock;
  #closed = false;

  /**
   * @param {string} path
   * @param {number} folder
   * @param {number} lock
   */
  constructor(path, folder, lock) {
    this.place = path;
    this.#folder = folder;
    this.#lock = lock;
  }

  /** @param {string} name */
  #path(name) {
    if (this.#closed) throw refusal('EBADF', 'it has been closed');
    return join(this.place, name);
  }

  /** @param {string} name */
  read(name) {
    const path = this.#path(name);
    let fd;
    try {
      fd = openSync(path, O_RDONLY | O_NOFOLLOW);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
    try {
      checkMode(fd, path, this.place, 0o600);
      return readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Another name, flushed, then renamed: |name| always stands for a whole file.
   * @param {string} name
   * @param {Uint8Array} data
   */
  write(name, data) {
    const path = this.#path(name);
    const temporary = `${path}.new`;
    // What a crash has left behind; nobody else writes here.
    remove(temporary);
    const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      try {
        writeAll(fd, data);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, path);
    } catch (error) {
      remove(temporary);
      throw error;
    }
    fsyncSync(this.#folder);
  }

  /**
   * @param {string} name
   * @param {Uint8Array} data
   */
  append(name, data) {
    const fd = openSync(this.#path(name), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
    try {
      const { size } = fstatSync(fd);
      try {
        writeAll(fd, data);
      } catch (error) {
        // No half of it is to stay in front of the next.
        ftruncateSync(fd, size);
        throw error;
      }
    } finally {
      closeSync(fd);
    }
  }

  /**
   * @param {string} from
   * @param {string} to
   */
  rename(from, to) {
    renameSync(this.#path(from), this.#path(to));
    fsyncSync(this.#folder);
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#lock);
    closeSync(this.#folder);
  }
}

/** @param {string} path */
function remove(path) {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
