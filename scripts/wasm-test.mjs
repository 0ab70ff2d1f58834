// SPDX-License-Identifier: Apache-2.0
// Runs one C test program, compiled to WebAssembly, under Node.js:
//
//   node scripts/wasm-test.mjs build/wasm/…_test.mjs
//
// The exit code is the program's, which is the number of its failed tests.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UDPSocket } from '../directsockets/node/udp_socket.mjs';
import { TestStore } from '../tests/unit/test_store.mjs';

const program = process.argv[2];
if (!program) {
  console.error('usage: node scripts/wasm-test.mjs PROGRAM.mjs');
  process.exit(2);
}

// Until the program says otherwise: one that never comes to its end fails.
process.exitCode = 1;
/** @type {{ default: (options: object) => Promise<unknown> }} */
const { default: instantiate } =
  await import(pathToFileURL(resolve(program)).href);
/** @type {{ [name: string]: unknown }} */
const options = {
  UDPSocket,
  preRun: [
    /** @param {{ ENV: Record<string, string | undefined> }} module */
    (module) => {
      module.ENV.CMOCKA_MESSAGE_OUTPUT = process.env.CMOCKA_MESSAGE_OUTPUT;
      if (process.env.SIM_SEEDS) {
        module.ENV.SIM_SEEDS = process.env.SIM_SEEDS;
      }
    },
  ],
};
options.testStore = new TestStore(options);
await instantiate(options);
