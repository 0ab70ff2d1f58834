// SPDX-License-Identifier: Apache-2.0
/**
 * Reads a Signed Web Bundle and checks it, without the libraries that write
 * one: CBOR (RFC 8949, the deterministic subset), the integrity block with its
 * signatures, the index, and that they fit together.  It runs in browsers too.
 */

/** What a bundle has wrong with it. */
export class BadBundle extends Error {}

/**
 * @param {unknown} condition
 * @param {string} text
 * @returns {asserts condition}
 */
function need(condition, text) {
  if (!condition) throw new BadBundle(text);
}

/** @typedef {number|string|Uint8Array|Array<any>|Map<any, any>} Item */

/** The CBOR that bundles are made of: no floats, tags, or open lengths. */
class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  /** @param {number} length */
  take(length) {
    need(length <= this.bytes.length - this.at, 'the bundle is cut off');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** @returns {[number, number]} the major type and the argument */
  head() {
    const [first] = this.take(1);
    const info = first & 31;
    if (info < 24) return [first >> 5, info];
    need(info < 28, 'CBOR of no definite length');
    const width = 1 << (info - 24);
    let value = 0n;
    for (const octet of this.take(width)) value = value << 8n | BigInt(octet);
    const least = width === 1 ? 24n : 1n << BigInt(width * 4);
    need(value >= least, 'CBOR longer than it needs to be');
    need(value <= BigInt(Number.MAX_SAFE_INTEGER), 'a number too large');
    return [first >> 5, Number(value)];
  }

  /**
   * @param {number} major
   * @returns {number} the argument of an item of this major type
   */
  expect(major) {
    const [found, value] = this.head();
    need(found === major, `CBOR of major type ${found} where ${major} belongs`);
    return value;
  }

  /** @returns {Item} */
  item() {
    const [major, value] = this.head();
    switch (major) {
      case 0: return value;
      case 2: return this.take(value);
      case 3: return text(this.take(value));
      case 4: return Array.from({ length: this.count(value) }, () => this.item());
      case 5: {
        const map = new Map();
        for (let i = this.count(value); i > 0; i--) {
          const key = this.item();
          const name = typeof key === 'object' ? text(/** @type {Uint8Array} */ (key)) : key;
          need(!map.has(name), `${name} is there twice`);
          map.set(name, this.item());
        }
        return map;
      }
      default: throw new BadBundle(`CBOR of major type ${major}`);
    }
  }

  /** @param {number} count of items, each an octet at the least */
  count(count) {
    need(count <= this.bytes.length - this.at, 'the bundle is cut off');
    return count;
  }

  end() {
    need(this.at === this.bytes.length, 'there is more behind the end');
  }
}

/** @param {Uint8Array} bytes */
function text(bytes) {
  need(bytes instanceof Uint8Array, 'no octets where a text belongs');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new BadBundle('a text that is not UTF-8');
  }
}

/**
 * @param {Item} item
 * @returns {Uint8Array<ArrayBuffer>}
 */
function octets(item) {
  need(item instanceof Uint8Array, 'no octets where octets belong');
  return /** @type {Uint8Array<ArrayBuffer>} */ (item);
}

/**
 * @typedef {object} Resource
 * @property {number} status
 * @property {Map<string, string>} headers by their names in lower case
 * @property {Uint8Array} body
 *
 * @typedef {object} Bundle
 * @property {string} id of the app
 * @property {Uint8Array[]} keys the Ed25519 public keys that have signed it
 * @property {string} version
 * @property {Map<string, Resource>} resources by their paths, from '/' on
 */

/**
 * @param {Uint8Array} bytes the file
 * @returns {Promise<Bundle>}
 * @throws {BadBundle} it is none, or its signature does not hold
 */
export async function readBundle(bytes) {
  const reader = new Reader(bytes);
  need(reader.expect(4) === 4, 'not a signed bundle of version 2');
  need(text(octets(reader.item())) === '🖋📦', 'not a signed bundle');
  need(text(octets(reader.item())) === '2b\0\0', 'not a signed bundle of version 2');
  const attributes = reader.item();
  const unsigned = bytes.slice(0, reader.at + 1);
  unsigned[reader.at] = 0x80;  // no signatures
  need(attributes instanceof Map && typeof attributes.get('webBundleId') === 'string', 'there is no id');
  const id = /** @type {string} */ (attributes.get('webBundleId'));

  /** @type {{key: Uint8Array<ArrayBuffer>, named: Uint8Array, signature: Uint8Array<ArrayBuffer>}[]} */
  const signatures = [];
  for (let count = reader.expect(4); count > 0; count--) {
    need(reader.expect(4) === 2, 'a signature has two parts');
    const start = reader.at;
    const named = reader.item();
    const raw = bytes.subarray(start, reader.at);
    need(named instanceof Map && named.size === 1, 'a signature names one key');
    const key = octets(/** @type {Map<string, Item>} */ (named).get('ed25519PublicKey') ?? 0);
    signatures.push({ key, named: raw, signature: octets(reader.item()) });
  }
  need(signatures.length > 0, 'there is no signature');
  const bundle = bytes.subarray(reader.at);
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-512', bundle.slice()));
  for (const { key, named, signature } of signatures) {
    need(key.length === 32 && signature.length === 64, 'a signature is of the wrong length');
    const imported = await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify']);
    need(await crypto.subtle.verify('Ed25519', imported, signature, counted([hash, unsigned, named])),
      'a signature does not hold');
  }
  need(signatures.some(({ key }) => idOf(key) === id), 'the id is not that of a key that has signed');

  const resources = readResources(bundle, id);
  const manifest = resources.get('/.well-known/manifest.webmanifest');
  need(manifest, 'there is no manifest');
  return { id, keys: signatures.map(({ key }) => key), version: versionOf(manifest.body), resources };
}

/** @param {Uint8Array} manifest */
function versionOf(manifest) {
  try {
    const { version } = JSON.parse(text(manifest));
    if (typeof version === 'string') return version;
  } catch {
    // Told below.
  }
  throw new BadBundle('the manifest has no version');
}

/**
 * @param {Uint8Array[]} parts
 * @returns {Uint8Array<ArrayBuffer>} each behind its length, of 64 bits
 */
function counted(parts) {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + 8 + length, 0));
  const view = new DataView(all.buffer);
  let at = 0;
  for (const part of parts) {
    view.setBigUint64(at, BigInt(part.length));
    all.set(part, at + 8);
    at += 8 + part.length;
  }
  return all;
}

/**
 * @param {Uint8Array} key of Ed25519
 * @returns {string} the id of an app signed with it
 */
function idOf(key) {
  const digits = 'abcdefghijklmnopqrstuvwxyz234567';
  const bits = [...key, 0, 1, 2].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => digits[parseInt(five, 2)]).join('');
}

/**
 * @param {Uint8Array} bundle
 * @param {string} id
 */
function readResources(bundle, id) {
  const reader = new Reader(bundle);
  need(reader.expect(4) === 5, 'not a web bundle of version 2');
  need(text(octets(reader.item())) === '🌐📦', 'not a web bundle');
  need(text(octets(reader.item())) === 'b2\0\0', 'not a web bundle of version 2');
  const lengths = new Reader(octets(reader.item()));
  const sections = lengths.item();
  lengths.end();
  need(Array.isArray(sections) && sections.length % 2 === 0, 'the sections have no lengths');
  need(reader.expect(4) === sections.length / 2, 'sections are missing');
  /** @type {Map<string, Uint8Array>} */
  const found = new Map();
  for (let i = 0; i < sections.length; i += 2) found.set(sections[i], reader.take(sections[i + 1]));
  const length = octets(reader.item());
  need(length.length === 8, 'the length has 64 bits');
  need(new DataView(length.buffer, length.byteOffset).getBigUint64(0) === BigInt(bundle.length),
    'the length is not that of the bundle');
  reader.end();

  const responses = found.get('responses');
  const indexed = found.get('index');
  need(responses && indexed, 'there is no index');
  const index = new Reader(indexed).item();
  need(index instanceof Map, 'the index is not a map');
  /** @type {Map<string, Resource>} */
  const resources = new Map();
  const list = new Reader(responses);
  need(list.expect(4) === index.size, 'the index is not complete');
  for (const [url, place] of index) {
    need(String(url).startsWith(`isolated-app://${id}/`), `${url} is not of this app`);
    need(Array.isArray(place) && place.length === 2, `${url} has no place`);
  }
  let { at } = list;
  for (const [url, [offset, length]] of [...index].sort(([, [a]], [, [b]]) => a - b)) {
    need(offset === at && offset + length <= responses.length, `${url} is in the wrong place`);
    const response = new Reader(responses.subarray(offset, offset + length));
    at = offset + length;
    need(response.expect(4) === 2, `${url} is not a response`);
    const fields = new Reader(octets(response.item())).item();
    need(fields instanceof Map, `${url} has no headers`);
    const headers = new Map([...fields].map(([name, value]) => [String(name), text(value)]));
    const body = octets(response.item());
    response.end();
    const status = Number(headers.get(':status'));
    headers.delete(':status');
    resources.set(decodeURI(String(url)).slice(`isolated-app://${id}`.length), { status, headers, body });
  }
  need(at === responses.length, 'there are responses that the index does not name');
  return resources;
}
