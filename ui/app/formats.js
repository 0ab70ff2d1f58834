// SPDX-License-Identifier: Apache-2.0
/** The forms in which the page shows and copies things.  Pure. */

/**
 * @param {string} hex an even number of hexadecimal digits
 * @returns {string} the same octets in base64, padded (RFC 4648, section 4)
 */
export function hexToBase64(hex) {
  const octets = hex.match(/../g) ?? [];
  return btoa(octets.map((octet) => String.fromCharCode(parseInt(octet, 16))).join(''));
}

/** @param {string} base64 */
const urlSafe = (base64) => base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');

/**
 * @param {string} hex
 * @returns {string} in base64 for URLs, without padding (RFC 4648, section 5)
 */
export const hexToBase64url = (hex) => urlSafe(hexToBase64(hex));

/**
 * @param {string} hex
 * @returns {string} as `openssl x509 -fingerprint -sha256` prints it
 */
export const hexToOpenssl = (hex) => (hex.match(/../g) ?? []).join(':').toUpperCase();

/**
 * @param {string} hex of a SHA-256
 * @returns {string} libp2p's certhash: the multihash as multibase base64url
 */
export const hexToCerthash = (hex) => `u${hexToBase64url(`1220${hex}`)}`;

/**
 * @param {string} hex
 * @param {number} digits in each group
 * @returns {string[]} the groups, for the eye
 */
export function groups(hex, digits = 8) {
  return hex.match(new RegExp(`.{1,${digits}}`, 'g')) ?? [];
}

/**
 * What a page has to contain in order to connect.
 * @param {import('../server/types.d.ts').Published} published
 * @returns {string} JavaScript; '' if there is nothing to connect to
 */
export function snippet({ url, hashes }) {
  if (url === null) return '';
  const lines = hashes.map(({ use, hex }) =>
    `    { algorithm: 'sha-256', value: octets('${hexToBase64(hex)}') },  // ${use}`);
  return [
    'const octets = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));',
    `const transport = new WebTransport(${quoted(url)}, {`,
    '  serverCertificateHashes: [',
    ...lines,
    '  ],',
    '});',
    'await transport.ready;',
    '',
  ].join('\n');
}

/**
 * The same with ui/client/fortnight.js, which keeps up with the hashes.
 * @param {import('../server/types.d.ts').Published} published
 * @returns {string} JavaScript; '' if there is nothing to connect to
 */
export function clientSnippet({ link }) {
  if (!link) return '';
  return [
    "import { connect } from './fortnight.js';",
    '',
    `const transport = connect(${quoted(link)});`,
    'await transport.ready;',
    '',
  ].join('\n');
}

/**
 * Where libp2p finds it.
 * @param {import('../server/types.d.ts').Published} published
 * @returns {string} '' if there is nothing to connect to
 */
export function multiaddr({ url, hashes }) {
  if (url === null) return '';
  const { hostname, port } = new URL(url);
  const host = hostname.startsWith('[') ? `/ip6/${hostname.slice(1, -1)}`
    : /^[\d.]+$/.test(hostname) ? `/ip4/${hostname}` : `/dns/${hostname}`;
  return `${host}/udp/${port || 443}/quic-v1/webtransport${
    hashes.map(({ hex }) => `/certhash/${hexToCerthash(hex)}`).join('')}`;
}

/**
 * The forms in which what is published can be copied, in the order of their
 * buttons.  Those of single hashes give one a line, the active one first.
 */
export const FORMS = Object.freeze({
  snippet: { label: 'JavaScript', what: 'the JavaScript that connects', of: snippet },
  client: { label: 'fortnight.js', what: 'the JavaScript for pages that have fortnight.js', of: clientSnippet },
  hex: { label: 'Hex', what: 'the hashes in hexadecimal', of: each((hex) => hex) },
  openssl: { label: 'OpenSSL', what: 'the hashes as OpenSSL prints them', of: each(hexToOpenssl) },
  base64: { label: 'Base64', what: 'the hashes in base64', of: each(hexToBase64) },
  base64url: { label: 'Base64url', what: 'the hashes in base64url', of: each(hexToBase64url) },
  certhash: { label: 'certhash', what: 'the hashes as libp2p’s certhash', of: each(hexToCerthash) },
  multiaddr: { label: 'multiaddr', what: 'libp2p’s multiaddr', of: multiaddr },
});

/** @typedef {keyof FORMS} Form */

/**
 * @param {(hex: string) => string} form
 * @returns {(published: import('../server/types.d.ts').Published) => string}
 */
function each(form) {
  return ({ hashes }) => hashes.map(({ hex }) => `${form(hex)}\n`).join('');
}

/** @param {string} text */
function quoted(text) {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/**
 * @param {number} n octets
 * @returns {string} '0 B', '999 B', '1.5 kB', '12 MB'
 */
export function octets(n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = Math.max(0, n);
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/**
 * @param {number} us microseconds
 * @returns {string} '0.3 ms', '12 ms', '1.2 s'
 */
export function milliseconds(us) {
  const ms = us / 1000;
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/**
 * @param {number} ms
 * @returns {string} '0:07', '12:34', '3:04:05', '2 d 3:04:05'
 */
export function age(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  const clock = hours || days ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
  return days ? `${days} d ${clock}` : clock;
}

/**
 * @param {Date} date
 * @returns {string} '13:05:09', local time
 */
export function clock(date) {
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((n) => String(n).padStart(2, '0')).join(':');
}

/**
 * Makes a text that a peer chose safe to show: no control or format
 * characters (a bidi override could forge a line), and of bounded length.
 * @param {unknown} text
 * @param {number} [max]
 * @returns {string}
 */
export function plain(text, max = 200) {
  const shown = String(text ?? '').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
  return shown.length > max ? `${shown.slice(0, max - 1)}…` : shown;
}

/**
 * The line of the log for an event; undefined for those that have none.
 * @param {import('../server/types.d.ts').ApplianceEvent} event
 * @returns {{level: string, text: string}|undefined}
 */
export function logLine(event) {
  switch (event.type) {
    case 'ready':
      return { level: 'info', text: `Serving ${plain(event.url)}` };
    case 'ephemeral':
      return { level: 'warning', text: `Nothing is kept: ${plain(event.text)}` };
    case 'refused':
      return { level: 'warning', text: `${plain(event.text, 500)} (${plain(event.peer)})` };
    case 'session-opened':
      return { level: 'info',
        text: `Session ${event.session} opened by ${plain(event.peer)} on ${plain(event.path)}` };
    case 'session-closed':
      return { level: 'info', text: event.by === 'connection'
        ? `Session ${event.session} ended with its connection`
        : `Session ${event.session} closed by the ${plain(event.by)}, code ${event.code}${
          event.reason ? `, “${plain(event.reason)}”` : ''}` };
    case 'log':
      return { level: plain(event.level, 16), text: plain(event.text, 2000) };
  }
  return undefined;
}
