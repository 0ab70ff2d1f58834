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

/** @param {string} text */
function quoted(text) {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
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
