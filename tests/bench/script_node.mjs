// SPDX-License-Identifier: Apache-2.0
/**
 * script_app.mjs on Node.js, in the appliance's own thread.  Prints
 * "ready {…}"; ends at SIGTERM.
 */
import { nodePort } from '../browser/node_port.mjs';
import { WebTransportServer } from '../../ui/server/webtransport_server.js';
import { serveScript } from './script_app.mjs';

const server = await WebTransportServer.listen({ endpoint: await nodePort(), port: 0, address: '127.0.0.1',
  ephemeral: true, paths: ['/echo', '/source'] });
const { url, hashes } = server.certificates;
process.on('SIGTERM', () => server.close());
console.log(`ready ${JSON.stringify({ url, hashes: hashes.map(({ use, hex }) => ({ use, hex })) })}`);
await serveScript(server);
