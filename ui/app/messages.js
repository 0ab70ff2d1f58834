// SPDX-License-Identifier: Apache-2.0
/** What went wrong, or what the person should know, with the way out.  Pure. */

import { DEFAULTS, PORT_MIN } from './options.js';

/**
 * @typedef {object} Action what a button does about it
 * @property {string} label
 * @property {'start'|'continue'|'persist'|'export'|'take-over'|'dismiss'} does
 *     'start' starts with |options| on top of the form's
 * @property {import('../server/types.d.ts').ApplianceOptions} [options]
 *
 * @typedef {object} Message
 * @property {'permission'|'port'|'address'|'option'|'state'|'browser'|'fault'|'clock'|'storage'|'windows'} kind
 * @property {string} title
 * @property {string[]} ways what the person can do
 * @property {Action[]} actions ways out that a button can take
 * @property {Partial<Record<'address'|'port'|'hosts', string>>} [fields] what to
 *     write below the field that it is about
 *
 * @typedef {Partial<Record<'local-network'|'loopback-network', PermissionState>>} Permissions
 */

export const FEATURES = Object.freeze({
  'local-network': 'the local network',
  'loopback-network': 'other apps and services on this device',
});

/**
 * @param {string} code of an 'error' event
 * @param {string} text of the same
 * @param {import('../server/types.d.ts').ApplianceOptions} options it was started with
 * @param {Permissions} [permissions] as the browser tells them
 * @returns {Message}
 */
export function explain(code, text, options, permissions = {}) {
  const port = options.port ?? DEFAULTS.port;
  switch (code) {
    case 'permission-denied': {
      if (port > 0 && port < PORT_MIN) {
        return {
          kind: 'port',
          title: `Port ${port} is not to be had`,
          ways: [`The browser refuses ports below ${PORT_MIN}: take one from there up.`],
          actions: [ANY_PORT],
          fields: { port: 'Refused.' },
        };
      }
      const missing = Object.entries(FEATURES)
        .filter(([name]) => permissions[/** @type {keyof Permissions} */ (name)] !== 'granted');
      // A prompt that was only closed comes again.
      const asksAgain = missing.length > 0 && missing.every(([name]) =>
        permissions[/** @type {keyof Permissions} */ (name)] === 'prompt');
      const words = (missing.length ? missing : Object.entries(FEATURES)).map(([, words]) => words).join(' and ');
      return {
        kind: 'permission',
        title: 'Chromium does not let this app use the network',
        ways: [
          ...(asksAgain ? [`Try again, and press “Allow” when Chromium asks for ${words}.`] : [
            'Open the app’s menu (⋮ in its title bar), and there “App info”, then “Settings”.',
            `Allow ${words}.`,
            'Come back and try again. Nothing of this lets pages of other sites in.']),
          'On a managed device, the policy LocalNetworkAccessAllowedForUrls decides: ask who manages it.',
        ],
        actions: [AGAIN],
      };
    }
    case 'port-busy':
      return {
        kind: 'port',
        title: `Port ${port} is taken by another program`,
        ways: ['Stop the other program (it may be another Fortnight), and try again.',
          'Or take another port; links that name this one then stop working.'],
        actions: [ANY_PORT, AGAIN],
        fields: { port: 'Taken already.' },
      };
    case 'address-not-available':
      return {
        kind: 'address',
        title: `This computer has no address ${options.address ?? ''}`.trimEnd(),
        ways: ['Give an address of this computer, 127.0.0.1 for this computer alone, or :: for every network.'],
        actions: [{ label: 'Start on 127.0.0.1', does: 'start', options: { address: '127.0.0.1' } }],
        fields: { address: 'Not an address of this computer.' },
      };
    case 'bad-option':
      return {
        kind: 'option',
        title: 'An option was refused',
        ways: [sentence(text), 'Change it and press Start again.'],
        actions: [],
      };
    case 'state-refused':
      return {
        kind: 'state',
        title: 'The certificates and the identity cannot be had',
        ways: [sentence(text), 'Press Start to try again, or serve without them: with a new identity, and'
          + ' certificates that end with this run.',
        'If what was kept is damaged, it is put aside and nothing is served in its place. To begin anew, with a new'
          + ' identity, delete this app’s data in the browser’s settings.'],
        actions: [AGAIN, { label: 'Start with nothing kept', does: 'start', options: { ephemeral: true } }],
      };
    case 'no-direct-sockets':
      return {
        kind: 'browser',
        title: 'This page cannot open a UDP socket',
        ways: ['Fortnight runs as an Isolated Web App in Chromium: “make run” installs it and opens it.'],
        actions: [],
      };
    default:
      return {
        kind: 'fault',
        title: 'Fortnight stopped by a fault of its own',
        ways: [sentence(text), 'Press Start to begin anew; the log has what came before.'],
        actions: [],
      };
  }
}

/** @type {Action} */
const AGAIN = { label: 'Try again', does: 'start' };
/** @type {Action} */
const ANY_PORT = { label: 'Start on any free port', does: 'start', options: { port: 0 } };

/**
 * Before Chromium asks for the first time.
 * @param {Permissions} permissions
 * @param {boolean} asking whether it asks already
 * @returns {Message}
 */
export function beforePrompt(permissions, asking) {
  const open = Object.entries(FEATURES)
    .filter(([name]) => permissions[/** @type {keyof Permissions} */ (name)] === 'prompt')
    .map(([, words]) => words);
  return {
    kind: 'permission',
    title: asking ? 'Chromium asks whether Fortnight may use the network'
      : 'Chromium will ask whether Fortnight may use the network',
    ways: [
      `It asks for ${open.join(' and ')}${open.length > 1 ? ', one after the other' : ''}: press “Allow”${
        open.length > 1 ? ' each time' : ''}.`,
      'Fortnight opens one UDP port, on which other browsers connect to it. Chromium wants both for that, whatever'
        + ' address it listens on.',
      'It asks once. You can take it back at any time in the app’s settings.',
    ],
    actions: asking ? [] : [{ label: 'Go on', does: 'continue' }, { label: 'Not now', does: 'dismiss' }],
  };
}

/**
 * The browser has not promised to keep what the app keeps.
 * @returns {Message}
 */
export function notPersistent() {
  return {
    kind: 'storage',
    title: 'Chromium may delete the identity and the certificates',
    ways: [
      'It does so only if this computer runs out of room; then every link that you have handed out stops working.',
      'Export the identity to a file while it serves: with that, a new Fortnight can take its place.',
      'Chromium promises to keep what belongs to apps that are used often: ask it again after some days.',
    ],
    actions: [{ label: 'Export the identity…', does: 'export' }, { label: 'Ask again', does: 'persist' },
      { label: 'Hide this', does: 'dismiss' }],
  };
}

/**
 * Another window is the owner of what is kept (owner.js).
 * @param {{serving?: boolean, url?: string}|undefined} told by it
 * @param {'asks'|'unanswered'} [tried] what came of asking for its place
 * @returns {Message}
 */
export function otherWindow(told, tried) {
  return {
    kind: 'windows',
    title: tried === 'unanswered' ? 'The other window does not answer'
      : told?.serving ? 'Fortnight serves in another window' : 'Fortnight is open in another window',
    ways: [
      ...(told?.serving && told.url ? [`It serves at ${told.url}.`] : []),
      'One window at a time has the identity and the certificates: two would hand out different hashes.',
      tried === 'unanswered' ? 'Close it; this one then has its place.'
        : told?.serving ? 'If you go on here, its sessions are closed; clients come back by the same link.'
          : 'Go on in that one, or close it, or have this one take its place.',
    ],
    actions: [{ label: tried === 'asks' ? 'Asking the other window…' : 'Use this window instead', does: 'take-over' },
      { label: 'Start with nothing kept', does: 'start', options: { ephemeral: true } }],
  };
}

const DATE = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit' });

/**
 * The clock shows a time that cannot be.
 * @param {Date} now
 * @returns {Message}
 */
export function wrongClock(now) {
  return {
    kind: 'clock',
    title: 'This computer’s clock is wrong',
    ways: [
      `It says ${DATE.format(now)}, which is before Fortnight was made. A certificate of that time would be refused`
        + ' by every browser.',
      'Set date and time in the computer’s settings, best by “set automatically”.',
      'Fortnight looks again by itself and begins as soon as the clock is right.',
    ],
    actions: [],
  };
}

/** @param {string} text */
function sentence(text) {
  const trimmed = text.trim() || 'No reason was given';
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
