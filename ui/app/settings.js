// SPDX-License-Identifier: Apache-2.0
/** What the person has set, kept from one visit to the next. */
import { APP_NAMES, DEFAULTS } from './options.js';

/** @typedef {import('./options.js').Fields} Fields */

const KEY = 'fortnight.settings';

/** @type {Readonly<Fields>} */
export const INITIAL = Object.freeze({
  address: DEFAULTS.address, port: String(DEFAULTS.port), hosts: '', path: '/echo', apps: APP_NAMES.join(' '),
  profile: '', origins: '', mirror: '', publish: '',
});

/* What is longer than this nobody has typed. */
const LENGTH_MAX = 4000;

/**
 * @param {Pick<Storage, 'getItem'>|undefined} storage
 * @returns {Fields} what was kept; the initial ones where there is nothing, or
 *     nothing of use
 */
export function loadSettings(storage) {
  /** @type {Fields} */
  const fields = { ...INITIAL };
  try {
    const kept = JSON.parse(storage?.getItem(KEY) ?? '{}');
    for (const name of /** @type {(keyof Fields)[]} */ (Object.keys(INITIAL))) {
      const value = kept?.[name];
      if (typeof value === 'string' && value.length <= LENGTH_MAX) fields[name] = value;
    }
  } catch {
    // It is not ours, or there is no storage: as if there were nothing.
  }
  return fields;
}

/**
 * @param {Pick<Storage, 'setItem'>|undefined} storage
 * @param {Fields} fields
 */
export function saveSettings(storage, fields) {
  try {
    storage?.setItem(KEY, JSON.stringify(fields));
  } catch {
    // There is no room, or no storage: the form has them for as long as it is
    // open.
  }
}
