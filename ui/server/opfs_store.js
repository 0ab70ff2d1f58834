// SPDX-License-Identifier: Apache-2.0
/**
 * The appliance's state in the browser: the origin's private file system.
 *
 * Only a dedicated worker may have sync access handles, which read, write and
 * flush at once, and only a promise opens them: so all that the store and the
 * journal will ever name is opened here, before the WASM runs, and stays open.
 * An open file cannot be renamed, so files are written in place, and one that
 * is empty counts as none.
 *
 * A handle is exclusive: a second window, or the worker of a page that is just
 * being left, cannot have it.  The latter is gone in a moment, so this waits a
 * little before it says that somebody else has it.
 */
import { NoStoreError } from './appliance.js';
import { ApplianceError } from './exit_codes.js';

/** @typedef {import('./types.d.ts').FortnightStore} FortnightStore */

const FOLDER = 'state';

/* The names of store_web.c, journal_web.c and keys_web.c. */
export const NAMES = Object.freeze(['key', 'state.0', 'state.1', 'state.0.bad', 'state.1.bad',
  'journal.jsonl', 'journal.jsonl.bad', 'quic.keys']);

/* For how long the files of a worker that has just ended may still be held. */
const HELD_MS = 3000;
const AGAIN_MS = 50;

/**
 * @param {object} [init] for tests
 * @param {StorageManager} [init.storage]
 * @param {number} [init.heldMs]
 * @returns {Promise<FortnightStore>} rejected with a
 *     NoStoreError, or with an ApplianceError 'state-refused'
 */
export async function openOpfsStore({ storage = navigator.storage, heldMs = HELD_MS } = {}) {
  if (typeof storage?.getDirectory !== 'function') {
    throw new NoStoreError('this browser has no private file system');
  }
  /** @type {FileSystemDirectoryHandle} */
  let folder;
  try {
    folder = await (await storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
  } catch (error) {
    throw new NoStoreError(`the browser gives no private file system here: ${messageOf(error)}`);
  }
  /** @type {Map<string, FileSystemSyncAccessHandle>} */
  const handles = new Map();
  const until = performance.now() + heldMs;
  try {
    for (const name of NAMES) {
      const file = await folder.getFileHandle(name, { create: true });
      if (typeof file.createSyncAccessHandle !== 'function') {
        throw new NoStoreError('this browser writes files only by promises');
      }
      handles.set(name, await openHandle(file, until));
    }
  } catch (error) {
    for (const handle of handles.values()) handle.close();
    if (error instanceof NoStoreError) throw error;
    throw new ApplianceError('state-refused', isHeld(error)
      ? 'another window of this app serves already: close it, or use that one'
      : `the private file system of this app cannot be opened: ${messageOf(error)}`);
  }
  return new OpfsStore(handles);
}

/**
 * @param {FileSystemFileHandle} file
 * @param {number} until
 */
async function openHandle(file, until) {
  for (;;) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      if (!isHeld(error) || performance.now() >= until) throw error;
      await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
    }
  }
}

/** @param {unknown} error */
const isHeld = (error) => /** @type {Error} */ (error)?.name === 'NoModificationAllowedError';

/** @param {unknown} error */
const messageOf = (error) => String(/** @type {Error} */ (error)?.message ?? error);

/** @implements {FortnightStore} */
export class OpfsStore {
  place = `OPFS/${FOLDER}`;
  #handles;

  /** @param {Map<string, FileSystemSyncAccessHandle>} handles */
  constructor(handles) {
    this.#handles = handles;
  }

  /** @param {string} name */
  #handle(name) {
    const handle = this.#handles.get(name);
    if (!handle) throw new TypeError(`${name} was not opened`);
    return handle;
  }

  /** @param {string} name */
  read(name) {
    const handle = this.#handle(name);
    const octets = new Uint8Array(handle.getSize());
    if (octets.length === 0) return null;
    const n = handle.read(octets, { at: 0 });
    if (n !== octets.length) throw new Error(`${n} of ${octets.length} octets could be read`);
    return octets;
  }

  /**
   * @param {string} name
   * @param {Uint8Array} data
   */
  write(name, data) {
    const handle = this.#handle(name);
    put(handle, data, 0);
    handle.truncate(data.length);
    handle.flush();
  }

  /**
   * @param {string} name
   * @param {Uint8Array} data
   */
  append(name, data) {
    const handle = this.#handle(name);
    const size = handle.getSize();
    try {
      put(handle, data, size);
    } catch (error) {
      // No half of it is to stay in front of the next.
      handle.truncate(size);
      throw error;
    }
  }

  /**
   * @param {string} from
   * @param {string} to
   */
  rename(from, to) {
    const octets = this.read(from);
    this.write(to, octets ?? new Uint8Array());
    octets?.fill(0);
    this.write(from, new Uint8Array());
  }

  close() {
    for (const handle of this.#handles.values()) handle.close();
    this.#handles.clear();
  }
}

/**
 * @param {FileSystemSyncAccessHandle} handle
 * @param {Uint8Array} data
 * @param {number} at
 */
function put(handle, data, at) {
  const n = handle.write(/** @type {Uint8Array<ArrayBuffer>} */ (data), { at });
  if (n !== data.length) throw new Error(`${n} of ${data.length} octets could be written`);
}
