// SPDX-License-Identifier: Apache-2.0
// The appliance in this process, at the far end of a MessagePort: what an
// Isolated Web App's page has in its worker.

import { startAppliance } from '../../ui/server/appliance.js';
import { servePort } from '../../ui/server/port.js';

const MODULE = new URL('../../build/wasm/fortnight.mjs', import.meta.url).href;

/** @returns {Promise<MessagePort>} for WebTransportServer.listen()'s |endpoint| */
export async function nodePort() {
  return (await nodeAppliance()).endpoint;
}

/** The same, and the appliance's own ear for commands. */
export async function nodeAppliance() {
  const { UDPSocket } = await import('../../directsockets/node/udp_socket.mjs');
  Object.assign(globalThis, { UDPSocket });
  /** @type {{default: Parameters<typeof startAppliance>[0]['createModule']}} */
  const { default: createModule } = await import(MODULE);
  const { port1, port2 } = new MessageChannel();
  const { command } = servePort(/** @type {any} */ (port1), () => ({ createModule }));
  return { endpoint: port2, command };
}
