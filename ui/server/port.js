// SPDX-License-Identifier: Apache-2.0
/**
 * An appliance at the far end of a port: what the worker is to its page, and
 * what Node.js, or a test, may have in the same thread with a MessageChannel.
 * One port is one run.
 */
import { startAppliance } from './appliance.js';
import { Mirror } from './mirror.js';

/**
 * @typedef {import('./types.d.ts').ToWorker} ToWorker
 * @typedef {import('./types.d.ts').FromWorker} FromWorker
 */

/**
 * @param {object} port a MessagePort, or a worker's global scope
 * @param {(message: FromWorker, transfer?: Transferable[]) => void} port.postMessage
 * @param {(type: 'message', listener: (event: MessageEvent<ToWorker>) => void) => void} port.addEventListener
 * @param {() => void} [port.start]
 * @param {(module: string|undefined) => Pick<Parameters<typeof startAppliance>[0], 'createModule'|'openStore'|'moduleOptions'>} host
 *     how to run it here
 * @returns {{command: (command: import('./types.d.ts').Command) => Promise<any>}}
 *     for who stands on this side of the port
 */
export function servePort(port, host) {
  /** @type {import('./types.d.ts').Appliance|undefined} */
  let appliance;
  const post = (/** @type {FromWorker} */ message) => port.postMessage(message);

  /**
   * @param {import('./types.d.ts').ApplianceOptions} options
   * @param {string|undefined} module
   */
  function start(options, module) {
    const mirror = options.publish ? new Mirror({
      url: options.publish,
      tell: (level, text) => post({ type: 'events', events: [{ type: 'log', level, text }] }),
    }) : undefined;
    const started = startAppliance({
      ...host(module),
      options,
      onEvents: (events) => {
        for (const event of events) {
          if (event.type === 'document') mirror?.publish(event.jws);
        }
        post({ type: 'events', events });
      },
      onBatch: (message) => {
        const { data } = message;
        port.postMessage(message, data ? [data instanceof Uint8Array ? data.buffer : data] : []);
      },
    });
    started.exited.then((code) => {
      mirror?.close();
      post({ type: 'exited', code });
    });
    return started;
  }

  /**
   * @param {import('./types.d.ts').Command} command
   * @returns {Promise<any>}
   */
  async function send(command) {
    if (!appliance) throw new Error('the appliance is not started');
    return appliance.command(command);
  }

  /**
   * @param {number} id
   * @param {import('./types.d.ts').Command} command
   */
  async function carryOut(id, command) {
    try {
      post({ type: 'reply', id, reply: await send(command) });
    } catch (error) {
      post({ type: 'refused', id, text: /** @type {Error} */ (error).message });
    }
  }

  port.addEventListener('message', ({ data }) => {
    switch (data.type) {
      case 'batch':
        appliance?.batch(data);
        break;
      case 'start':
        appliance ??= start(data.options, data.module);
        break;
      case 'command':
        carryOut(data.id, data.command);
        break;
      case 'stop':
        appliance?.stop();
        break;
    }
  });
  port.start?.();
  return { command: send };
}
