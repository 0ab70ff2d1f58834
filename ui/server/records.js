// SPDX-License-Identifier: Apache-2.0
/**
 * The records in which sessions cross between the appliance and its
 * application: server/apps/script_record.h tells what each means, and bounds
 * them.  A batch is records one behind the other.
 */

/**
 * Batches that either side may have before it, and how many it has taken when
 * it says so though it has no batch to say it with: so most acknowledgements
 * cost nothing, and a side that is busy gets few batches and large ones.
 */
export const IN_FLIGHT_MAX = 2;
export const TAKEN_MAX = 2;

/** Octets before those of the record itself. */
const HEAD = 16;
const FIRST_SIZE = 32 * 1024;

/** What the appliance tells. */
export const TOLD = Object.freeze({
  REQUEST: 1, OPENED: 2, CLOSED: 3, DRAINING: 4, STREAM: 5, DATA: 6, WAS_RESET: 7, WAS_STOPPED: 8,
  SENT: 9, STREAM_CLOSED: 10, DATAGRAM_CAME: 11, DATAGRAMS_SENT: 12,
});

/** What is asked of it. */
export const ASKED = Object.freeze({
  ACCEPT: 1, REJECT: 2, CLOSE: 3, DATAGRAM: 4, OPEN: 5, WRITE: 6, RESET: 7, STOP: 8, CONSUME: 9,
  RELEASE: 10, DRAIN: 11,
});

/** Flags; which are whose tells script_record.h. */
export const FIN = 1;
export const BIDI = 1;
export const LOCAL = 2;

/** TOLD.CLOSED's flags. */
export const BY_CONNECTION = 2;

const NOTHING = new Uint8Array(0);

/** A batch in the making. */
export class Batch {
  #octets = NOTHING;
  /** @type {DataView|undefined} */
  #view;
  #length = 0;

  get length() {
    return this.#length;
  }

  /**
   * @param {number} type
   * @param {number} flags
   * @param {number} handle
   * @param {number} [value]
   * @param {Uint8Array} [octets] copied
   */
  add(type, flags, handle, value = 0, octets = NOTHING) {
    const at = this.#length;
    const size = HEAD + octets.length;
    if (at + size > this.#octets.length) this.#grow(at + size);
    const view = /** @type {DataView} */ (this.#view);
    view.setUint32(at, size, true);
    view.setUint32(at + 4, type | (flags << 8), true);
    view.setUint32(at + 8, handle, true);
    view.setUint32(at + 12, value, true);
    this.#octets.set(octets, at + HEAD);
    this.#length = at + size;
  }

  /** @returns {Uint8Array<ArrayBuffer>} the batch; its buffer is the caller's */
  take() {
    const length = this.#length;
    this.#length = 0;
    // A small one is copied: that is cheaper than new memory for the next.
    if (length <= FIRST_SIZE) return this.#octets.slice(0, length);
    const batch = this.#octets.subarray(0, length);
    this.#octets = NOTHING;
    this.#view = undefined;
    return batch;
  }

  /** @param {number} least */
  #grow(least) {
    let size = Math.max(FIRST_SIZE, 2 * this.#octets.length);
    while (size < least) size *= 2;
    const octets = new Uint8Array(size);
    octets.set(this.#octets.subarray(0, this.#length));
    this.#octets = octets;
    this.#view = new DataView(octets.buffer);
  }
}

/**
 * @param {ArrayBuffer} buffer a batch
 * @param {(type: number, flags: number, handle: number, value: number, octets: Uint8Array<ArrayBuffer>) => void} take
 *     |octets| is a view of |buffer|
 */
export function forEachRecord(buffer, take) {
  const view = new DataView(buffer);
  for (let at = 0; at + HEAD <= buffer.byteLength;) {
    const size = view.getUint32(at, true);
    if (size < HEAD || at + size > buffer.byteLength) throw new RangeError('not a record');
    take(view.getUint8(at + 4), view.getUint8(at + 5), view.getUint32(at + 8, true), view.getUint32(at + 12, true),
      new Uint8Array(buffer, at + HEAD, size - HEAD));
    at += size;
  }
}
