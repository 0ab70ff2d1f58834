// SPDX-License-Identifier: Apache-2.0
// Figures as a person reads them.

/**
 * @param {string[]} head
 * @param {string[][]} rows
 */
export function table(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i].length)));
  const line = (/** @type {string[]} */ cells) => cells
    .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  console.log(line(head));
  console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  for (const cells of rows) console.log(line(cells));
  console.log();
}

export const whole = (/** @type {number} */ n) => Math.round(n).toLocaleString('en-US');
export const percent = (/** @type {number} */ n) =>
  `${(100 * n).toFixed(n > 0 && n < 0.001 ? 3 : 1)} %`;

/** @param {number} n microseconds */
export const time = (n) => (Math.abs(n) < 10_000
  ? `${whole(n)} us` : `${(n / 1000).toFixed(1)} ms`);
