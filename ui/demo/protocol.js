// SPDX-License-Identifier: Apache-2.0
/**
 * What the pages of a room say to each other.  The server hands on what one
 * sends to all others, and does not say whose it is: each message does.  Nobody
 * proves who they are; what comes is read as a stranger's.
 *
 * A datagram is where somebody points to; the newest counts:
 *
 *   0   1 octet    1
 *   1   8 octets   who
 *   9   4 octets   number, big-endian, counting up
 *   13  2 octets   x, from 0 (left) to 65535 (right), big-endian
 *   15  2 octets   y, from 0 (top) to 65535 (bottom), big-endian
 *
 * A unidirectional stream is one message in JSON, of at most MESSAGE_MAX octets:
 *
 *   {"type":"hello","who":"…16 hex digits…","name":"Ada","reply":true}
 *       I am here; with "reply", whoever is there says hello too
 *   {"type":"chat","who":"…","text":"…"}
 *   {"type":"bye","who":"…"}
 */

export const MESSAGE_MAX = 4096;
export const NAME_MAX = 24;
export const TEXT_MAX = 500;

const POINTER_LEN = 17;
const POINTER = 1;
const FULL = 65535;

/**
 * @typedef {{who: string, number: number, x: number, y: number}} Pointer  x and
 *     y from 0 to 1
 * @typedef {{type: 'hello', who: string, name: string, reply: boolean}
 *   | {type: 'chat', who: string, text: string}
 *   | {type: 'bye', who: string}} Message
 */

/** @returns {string}  somebody new */
export function newcomer() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)),
    (octet) => octet.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {Pointer} pointer
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function writePointer({ who, number, x, y }) {
  const octets = new Uint8Array(POINTER_LEN);
  const view = new DataView(octets.buffer);
  octets[0] = POINTER;
  view.setBigUint64(1, BigInt(`0x${who}`));
  view.setUint32(9, number);
  view.setUint16(13, Math.round(Math.min(1, Math.max(0, x)) * FULL));
  view.setUint16(15, Math.round(Math.min(1, Math.max(0, y)) * FULL));
  return octets;
}

/**
 * @param {Uint8Array} octets  may be anything
 * @returns {Pointer | null}
 */
export function readPointer(octets) {
  if (octets.length !== POINTER_LEN || octets[0] !== POINTER) return null;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  return {
    who: view.getBigUint64(1).toString(16).padStart(16, '0'),
    number: view.getUint32(9),
    x: view.getUint16(13) / FULL,
    y: view.getUint16(15) / FULL,
  };
}

/**
 * @param {Message} message
 * @returns {Uint8Array<ArrayBuffer>}
 */
export const writeMessage = (message) => new TextEncoder().encode(JSON.stringify(message));

/**
 * Text on one line, without what would turn it round or hide in it.
 * @param {unknown} text
 * @param {number} max
 * @returns {string}  '' if nothing is left
 */
export function plain(text, max) {
  if (typeof text !== 'string') return '';
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ').replace(/\s+/g, ' ').trim();
  return Array.from(line).slice(0, max).join('').trim();
}

/**
 * @param {Uint8Array} octets  may be anything
 * @returns {Message | null}
 */
export function readMessage(octets) {
  /** @type {any} */
  let it;
  try {
    it = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch {
    return null;
  }
  if (typeof it !== 'object' || it === null || typeof it.who !== 'string' || !/^[0-9a-f]{16}$/.test(it.who)) return null;
  const { type, who } = it;
  if (type === 'bye') return { type, who };
  if (type === 'hello') {
    const name = plain(it.name, NAME_MAX);
    return name ? { type, who, name, reply: it.reply === true } : null;
  }
  if (type === 'chat') {
    const text = plain(it.text, TEXT_MAX);
    return text ? { type, who, text } : null;
  }
  return null;
}

/**
 * All of |stream|.
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {Promise<Uint8Array | null>}  null: longer than a message may be
 */
export async function readAll(stream) {
  const reader = stream.getReader();
  const octets = new Uint8Array(MESSAGE_MAX);
  for (let length = 0; ;) {
    const { value, done } = await reader.read();
    if (done) return octets.subarray(0, length);
    if (length + value.length > MESSAGE_MAX) {
      reader.cancel().catch(() => {});
      return null;
    }
    octets.set(value, length);
    length += value.length;
  }
}

/**
 * Where that is, in words.
 * @param {number} x
 * @param {number} y
 */
export function place(x, y) {
  const row = ['top', 'middle', 'bottom'][Math.min(2, Math.floor(y * 3))];
  const column = ['left', 'centre', 'right'][Math.min(2, Math.floor(x * 3))];
  return row === 'middle' && column === 'centre' ? 'in the middle' : `${row} ${column}`;
}
