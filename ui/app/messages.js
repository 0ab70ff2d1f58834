// SPDX-License-Identifier: Apache-2.0
/** What went wrong, in words, with the way out.  Pure. */

import { DEFAULTS, PORT_MIN } from './options.js';

/**
 * @typedef {object} Message
 * @property {string} title
 * @property {string[]} ways what the person can do
 * @property {{label: string, options: import('../server/types.d.ts').ApplianceOptions}} [action]
 *     one way out that a button can take: start with these changes
 * @property {Partial<Record<'address'|'port'|'hosts', string>>} [fields] what to
 *     write below the field that it is about
 *
 * @typedef {Partial<Record<'local-network'|'loopback-network', PermissionState>>} Permissions
 */

const FEATURES = Object.freeze({
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
          title: `Port ${port} is not to be had`,
          ways: [`The browser refuses ports below ${PORT_MIN}: take one from there up.`],
          action: { label: 'Start on any free port', options: { port: 0 } },
          fields: { port: 'Refused.' },
        };
      }
      const missing = Object.entries(FEATURES)
        .filter(([name]) => permissions[/** @type {keyof Permissions} */ (name)] !== 'granted')
        .map(([, words]) => words);
      return {
        title: 'Chromium does not let this app use the network',
        ways: [
          `Open the app’s menu (⋮ in its title bar), go to “App info” and its settings, and allow ${
            (missing.length ? missing : Object.values(FEATURES)).join(' and ')}. Then press Start again.`,
          'On a managed device, the policy LocalNetworkAccessAllowedForUrls decides.',
        ],
      };
    }
    case 'port-busy':
      return {
        title: `Port ${port} is taken by another program`,
        ways: ['Stop the other program (it may be another Fortnight), or take another port.'],
        action: { label: 'Start on any free port', options: { port: 0 } },
        fields: { port: 'Taken already.' },
      };
    case 'address-not-available':
      return {
        title: `This computer has no address ${options.address ?? ''}`.trimEnd(),
        ways: ['Give an address of this computer, 127.0.0.1 for this computer alone, or :: for every network.'],
        action: { label: 'Start on 127.0.0.1', options: { address: '127.0.0.1' } },
        fields: { address: 'Not an address of this computer.' },
      };
    case 'bad-option':
      return {
        title: 'An option was refused',
        ways: [sentence(text), 'Change it and press Start again.'],
      };
    case 'state-refused':
      return {
        title: 'The certificates and the identity cannot be had',
        ways: [sentence(text), 'Press Start to try again, or serve without them: with a new identity, and'
          + ' certificates that end with this run.',
        'If what was kept is damaged, it is put aside and nothing is served in its place. To begin anew, with a new'
          + ' identity, delete this app’s data in the browser’s settings.'],
        action: { label: 'Start with nothing kept', options: { ephemeral: true } },
      };
    case 'no-direct-sockets':
      return {
        title: 'This page cannot open a UDP socket',
        ways: ['Fortnight runs as an Isolated Web App in Chromium: “make run” installs it and opens it.'],
      };
    default:
      return {
        title: 'Fortnight stopped by a fault of its own',
        ways: [sentence(text), 'Press Start to begin anew; the log has what came before.'],
      };
  }
}

/** @param {string} text */
function sentence(text) {
  const trimmed = text.trim() || 'No reason was given';
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
