// SPDX-License-Identifier: Apache-2.0
// (c) the Isolated Web App in Chromium.

import { join } from 'node:path';
import { ROOT } from './server.mjs';

/** @type {import('./server.mjs').Kind} */
export const iwa = {
  name: 'iwa',
  process: (args) => ({
    name: 'iwa',
    command: process.execPath,
    args: (folder) => ['scripts/run.mjs', '--control', join(folder, 'control'), ...args],
    cwd: ROOT,
  }),
  readyMs: 60_000,
};
