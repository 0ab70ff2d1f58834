// SPDX-License-Identifier: Apache-2.0
// The client page's cases in Deno: one JSON line in, one JSON line out.
//
// Deno 2.9's incomingUnidirectionalStreams stands still when a stream that is
// not WebTransport's comes first (its pull() returns without having enqueued
// anything, and the Streams standard pulls again only for a new read): with
// any server that opens its QPACK streams, the first read never ends.  So the
// reads are repeated here until something comes.  Nothing else is mended.

import { answer } from './cases.mjs';

const PULL_AGAIN_MS = 5;

/** @type {any} */
const deno = /** @type {any} */ (globalThis).Deno;

const incoming = /** @type {PropertyDescriptor} */ (
  Object.getOwnPropertyDescriptor(
    WebTransport.prototype, 'incomingUnidirectionalStreams'));

Object.defineProperty(WebTransport.prototype, 'incomingUnidirectionalStreams', {
  ...incoming,
  /** @this {WebTransport} */
  get() {
    const reader = incoming.get?.call(this).getReader();
    /** @type {ReturnType<typeof setInterval> | undefined} */
    let timer;
    return new ReadableStream({
      start(controller) {
        const stop = () => clearInterval(timer);
        const read = () => reader.read().then(
          (/** @type {ReadableStreamReadResult<any>} */ { value, done }) => {
            if (done) stop(); else controller.enqueue(value);
          },
          stop);
        timer = setInterval(read, PULL_AGAIN_MS);
        read();
      },
      cancel() { clearInterval(timer); },
    });
  },
});

const encoder = new TextEncoder();
let rest = '';
const lines = deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const chunk of lines) {
  const parts = (rest + chunk).split('\n');
  rest = parts.pop() ?? '';
  for (const line of parts) {
    const { id, name, params } = JSON.parse(line);
    answer(name, params).then((reply) => deno.stdout.write(
      encoder.encode(`${JSON.stringify({ id, ...reply })}\n`)));
  }
}
deno.exit(0);
