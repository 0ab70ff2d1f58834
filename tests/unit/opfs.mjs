// SPDX-License-Identifier: Apache-2.0
/**
 * The origin private file system as far as ui/server/opfs_store.js uses it, on
 * a disk of memory: what survives when whoever used it is gone.  Any of its
 * writes can be the last one, and do half of its work.
 */

export class Disk {
  /** @type {Map<string, Uint8Array>} */
  files = new Map();
  /** @type {Set<string>} names of which there is a handle */
  held = new Set();
  /** @type {any} */
  #folder;
  /** What has changed or flushed a file, in order. */
  calls = '';
  /** The number of the call from now on that fails; 0: none. */
  failAt = 0;
  failWith = new DOMException('the quota is used up', 'QuotaExceededError');

  /** @param {string} call */
  fails(call) {
    this.calls += call;
    return this.failAt > 0 && --this.failAt === 0;
  }

  /**
   * @param {string} name
   * @returns {FileSystemSyncAccessHandle}
   */
  open(name) {
    if (this.held.has(name)) {
      throw new DOMException('there is another', 'NoModificationAllowedError');
    }
    this.held.add(name);
    if (!this.files.has(name)) this.files.set(name, new Uint8Array());
    return new Handle(this, name);
  }

  /** @returns {StorageManager} */
  get storage() {
    const folder = this.#folder ??= {
      getDirectoryHandle: async () => folder,
      getFileHandle: async (/** @type {string} */ name) => ({
        createSyncAccessHandle: async () => this.open(name),
      }),
    };
    return /** @type {any} */ ({ getDirectory: async () => folder });
  }
}

class Handle {
  #disk;
  #name;
  #open = true;

  /**
   * @param {Disk} disk
   * @param {string} name
   */
  constructor(disk, name) {
    this.#disk = disk;
    this.#name = name;
  }

  get #octets() {
    if (!this.#open) throw new DOMException('the handle is closed', 'InvalidStateError');
    return /** @type {Uint8Array} */ (this.#disk.files.get(this.#name));
  }

  /** @param {number} size */
  #resize(size) {
    const octets = new Uint8Array(size);
    octets.set(this.#octets.subarray(0, size));
    this.#disk.files.set(this.#name, octets);
  }

  getSize() {
    return this.#octets.length;
  }

  /**
   * @param {Uint8Array} dest
   * @param {{at: number}} options
   */
  read(dest, { at }) {
    const octets = this.#octets.subarray(at, at + dest.length);
    dest.set(octets);
    return octets.length;
  }

  /**
   * @param {Uint8Array} data
   * @param {{at: number}} options
   */
  write(data, { at }) {
    const size = this.getSize();
    const fails = this.#disk.fails('w');
    const n = fails ? data.length >> 1 : data.length;
    this.#resize(Math.max(size, at + n));
    this.#octets.set(data.subarray(0, n), at);
    if (fails) throw this.#disk.failWith;
    return n;
  }

  /** @param {number} size */
  truncate(size) {
    if (this.#disk.fails('t')) throw this.#disk.failWith;
    this.#resize(size);
  }

  flush() {
    this.getSize();
    if (this.#disk.fails('f')) throw this.#disk.failWith;
  }

  close() {
    if (!this.#open) return;
    this.#open = false;
    this.#disk.held.delete(this.#name);
  }
}
