// SPDX-License-Identifier: Apache-2.0
/**
 * The worker of the Isolated Web App.  It owns the UDPSocket, the WASM and the
 * files of the state, so that neither the page's layout nor a hidden page's slow timers ever hold up
 * a packet.  One worker is one run of the appliance: the page makes a new one
 * for each start and ends it after 'exited'.
 */
import { openOpfsStore } from './opfs_store.js';
import { servePort } from './port.js';

/* Where scripts/stage-iwa.mjs puts the WASM's JavaScript, in the app's root. */
const MODULE = '/fortnight.mjs';

servePort(/** @type {any} */ (self), (module = MODULE) => ({
  // Dynamic, so that a file that is missing is told as an error.
  createModule: async (init) => {
    if (!('UDPSocket' in globalThis)) {
      throw new Error('this browser gives no UDPSocket here: Direct Sockets'
        + ' need an Isolated Web App in Chromium');
    }
    if (!('Suspending' in WebAssembly)) {
      throw new Error('this browser has no WebAssembly JSPI');
    }
    /** @type {{default: import('./types.d.ts').CreateModule}} */
    const { default: createModule } = await import(module);
    return createModule(init);
  },
  openStore: openOpfsStore,
}));
