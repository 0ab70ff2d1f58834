// SPDX-License-Identifier: Apache-2.0
// The movable clock of clock_posix.c for a program on Node: given to it with
// --import, it shifts Date.now(), which is all that the WebAssembly has for a
// wall clock.  performance.now() stays.

import { openSync, readSync } from 'node:fs';

const path = process.env.FORTNIGHT_TEST_CLOCK;
if (!path) throw new Error('FORTNIGHT_TEST_CLOCK names no file');

const fd = openSync(path, 'r');
const words = new BigInt64Array(2);

function offset() {
  for (;;) {
    readSync(fd, words, 0, 16, 0);
    if (words[0] === ~words[1]) return Number(words[0]);
  }
}

const real = Date.now;
Date.now = () => real() + 1000 * offset();
