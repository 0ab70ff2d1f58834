// SPDX-License-Identifier: Apache-2.0
/**
 * Draws the icons: a moon among fourteen nights, seven gone by and seven to
 * come.  Writes icons/*.svg, and icons/*.png by a screenshot in Chromium.
 *
 *   node manifest/draw_icons.mjs
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { findChromium } from '../scripts/launch-iwa.mjs';

const FOLDER = new URL('icons/', import.meta.url);
const NIGHTS = 14;

/**
 * @param {boolean} maskable whether a mask may cut all but the middle 80 %
 * @returns {string} an SVG of 512 by 512 units
 */
function icon(maskable) {
  const scale = maskable ? 0.82 : 1;
  const round = (/** @type {number} */ n) => Math.round(n * 100) / 100;
  const nights = Array.from({ length: NIGHTS }, (_, i) => {
    // From the top, clockwise; the gap falls between the last and the first.
    const angle = 2 * Math.PI * (i + 0.5) / NIGHTS - Math.PI / 2;
    const x = round(256 + 188 * Math.cos(angle));
    const y = round(256 + 188 * Math.sin(angle));
    return `<circle cx="${x}" cy="${y}" r="23" fill="${i < NIGHTS / 2 ? '#ffd98a' : '#6f64d4'}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">
  <rect width="512" height="512"${maskable ? '' : ' rx="112"'} fill="#261f5c"/>
  <g transform="translate(256 256) scale(${scale}) translate(-256 -256)">
    ${nights.join('\n    ')}
    <path d="M283 146a112 112 0 1 0 83 126a90 90 0 0 1 -83 -126z" fill="#fff6dd"/>
  </g>
</svg>
`;
}

mkdirSync(FOLDER, { recursive: true });
writeFileSync(new URL('icon.svg', FOLDER), icon(false));
const browser = await chromium.launch({
  executablePath: findChromium(), args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  for (const [name, size, maskable] of /** @type {const} */ ([
    ['icon-144.png', 144, false], ['icon-192.png', 192, false],
    ['icon-512.png', 512, false], ['maskable-512.png', 512, true]])) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    const source = Buffer.from(icon(maskable)).toString('base64');
    await page.setContent(`<style>*{margin:0}img{display:block}</style>
      <img width="${size}" height="${size}" src="data:image/svg+xml;base64,${source}">`);
    await page.screenshot({ path: new URL(name, FOLDER).pathname, omitBackground: true });
    await page.close();
  }
} finally {
  await browser.close();
}
