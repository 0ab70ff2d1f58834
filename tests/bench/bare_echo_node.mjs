// SPDX-License-Identifier: Apache-2.0
/**
 * The bare UDP echo (directsockets/bare_echo.c) on Node: the ceiling for the
 * WebAssembly appliance there.  Prints "ready ADDRESS:PORT"; ends at SIGTERM.
 */
import { UDPSocket } from '../../directsockets/node/udp_socket.mjs';

/** @type {string} so that the compiler does not look for what is built */
const MODULE = '../../build/wasm/bare_echo.mjs';

const { default: createModule } = await import(MODULE);
const module = await createModule({
  UDPSocket,
  onBareEcho: (/** @type {{port: number}} */ { port }) => console.log(`ready 127.0.0.1:${port}`),
});
process.on('SIGTERM', () => module.dsWake());
process.exitCode = await module.ccall('bare_echo_run', 'number', ['string', 'number'],
  ['127.0.0.1', 0], { async: true }) === 0 ? 0 : 1;
