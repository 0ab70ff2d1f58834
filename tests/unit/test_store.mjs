// SPDX-License-Identifier: Apache-2.0
/**
 * The stores that the C tests of store_web.c and journal_web.c run over: a real
 * folder, or OPFS's way of writing in place on a disk of memory.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNodeStore } from '../../scripts/node-store.mjs';
import { NAMES, OpfsStore } from '../../ui/server/opfs_store.js';
import { Disk } from './opfs.mjs';

/** @typedef {import('../../ui/server/types.d.ts').FortnightStore} FortnightStore */

export class TestStore {
  disk = new Disk();
  /** @type {string|undefined} */
  #folder;
  /** @type {FortnightStore|undefined} */
  #store;
  /** @type {{fortnightStore?: FortnightStore}} */
  #module;

  /** @param {{fortnightStore?: FortnightStore}} module */
  constructor(module) {
    this.#module = module;
  }

  /** @param {number} inPlace */
  begin(inPlace) {
    this.disk = new Disk();
    this.#folder = inPlace ? undefined : mkdtempSync(join(tmpdir(), 'fortnight-store-'));
  }

  end() {
    this.close();
    this.#module.fortnightStore = undefined;
    if (this.#folder) rmSync(this.#folder, { recursive: true });
  }

  /** @returns {number} 0, or 1 if it is open already */
  open() {
    try {
      this.#module.fortnightStore = this.#store = this.#folder
        ? openNodeStore(join(this.#folder, 'state'))
        : new OpfsStore(new Map(NAMES.map((name) => [name, this.disk.open(name)])));
      return 0;
    } catch {
      return 1;
    }
  }

  close() {
    this.#store?.close();
  }

  /** @param {string} name */
  #path(name) {
    return join(/** @type {string} */ (this.#folder), 'state', name);
  }

  /**
   * What is there, past the store.
   * @param {string} name
   * @returns {Uint8Array|undefined}
   */
  read(name) {
    if (this.#folder) return existsSync(this.#path(name)) ? readFileSync(this.#path(name)) : undefined;
    const octets = this.disk.files.get(name);
    return octets?.length ? octets : undefined;
  }

  /**
   * @param {string} name
   * @param {Uint8Array} octets
   */
  #write(name, octets) {
    if (this.#folder) writeFileSync(this.#path(name), octets);
    else this.disk.files.set(name, octets);
  }

  /**
   * @param {string} name
   * @param {number} bit
   */
  flip(name, bit) {
    const octets = Uint8Array.from(this.read(name) ?? []);
    octets[bit >> 3] ^= 1 << (bit & 7);
    this.#write(name, octets);
  }

  /**
   * Makes it |size| octets long.
   * @param {string} name
   * @param {number} size
   */
  cut(name, size) {
    const octets = new Uint8Array(size);
    octets.set((this.read(name) ?? new Uint8Array()).subarray(0, size));
    this.#write(name, octets);
  }

  /** @param {string} name */
  remove(name) {
    if (this.#folder) unlinkSync(this.#path(name));
    else this.disk.files.set(name, new Uint8Array());
  }

  /** @param {string} name of what all functions throw from now on; '': nothing */
  fail(name) {
    if (name === '') {
      this.#module.fortnightStore = this.#store;
      return;
    }
    const thrown = name === 'undefined' ? undefined
      : /^E[A-Z]+$/.test(name) ? Object.assign(new Error(name), { code: name })
        : new DOMException('a reason', name);
    const fails = () => { throw thrown; };
    this.#module.fortnightStore = { place: 'somewhere', read: fails, write: fails, append: fails,
      rename: fails, close: fails };
  }
}
