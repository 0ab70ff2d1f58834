// SPDX-License-Identifier: Apache-2.0

/* For the browser to take up what it was given; it may ask where to. */
const HELD_MS = 60_000;

/**
 * Has the browser save |text| as a file.
 * @param {string} text
 * @param {string} name
 */
export function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), HELD_MS);
}
