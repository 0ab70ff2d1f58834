// SPDX-License-Identifier: Apache-2.0
/**
 * The worker of the Isolated Web App.  It owns the UDPSocket, the WASM and the
 * files of the state, so that neither the page's layout nor a hidden page's slow timers ever hold up
 * a packet.  One worker is one run of the appliance: the page makes a new one
 * for each start and ends it after 'exited'.
 */
import { startAppliance } from './appliance.js';
import { Mirror } from './mirror.js';
import { openOpfsStore } from './opfs_store.js';

/* Where scripts/stage-iwa.mjs puts the WASM's JavaScript, in the app's root. */
const MODULE = '/fortnight.mjs';

/** @type {import('./types.d.ts').Appliance|undefined} */
let appliance;

/** @param {import('./types.d.ts').FromWorker} message */
const post = (message) => self.postMessage(message);

self.addEventListener('message', (/** @type {MessageEvent<import('./types.d.ts').ToWorker>} */ { data }) => {
  switch (data.type) {
    case 'start':
      appliance ??= start(data.options);
      break;
    case 'command':
      carryOut(data.id, data.command);
      break;
    case 'stop':
      appliance?.stop();
      break;
  }
});

/** @param {import('./types.d.ts').ApplianceOptions} options */
function start(options) {
  const mirror = options.publish ? new Mirror({
    url: options.publish,
    tell: (level, text) => post({ type: 'events', events: [{ type: 'log', level, text }] }),
  }) : undefined;
  const started = startAppliance({
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
      const { default: createModule } = await import(MODULE);
      return createModule(init);
    },
    options,
    openStore: openOpfsStore,
    onEvents: (events) => {
      for (const event of events) {
        if (event.type === 'document') mirror?.publish(event.jws);
      }
      post({ type: 'events', events });
    },
  });
  started.exited.then((code) => {
    mirror?.close();
    post({ type: 'exited', code });
  });
  return started;
}

/**
 * @param {number} id
 * @param {import('./types.d.ts').Command} command
 */
async function carryOut(id, command) {
  try {
    if (!appliance) throw new Error('the appliance is not started');
    post({ type: 'reply', id, reply: await appliance.command(command) });
  } catch (error) {
    post({ type: 'refused', id, text: /** @type {Error} */ (error).message });
  }
}
